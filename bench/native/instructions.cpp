// Steps one tensor of 65,536 float32 parameters as often as told: for callgrind, see
// instructions.py.
#include <cstdlib>
#include <vector>

#include "optim/fused/fused.h"

int main(int, char** arguments) {
  constexpr int64_t kSize = 1 << 16;
  std::vector<float> p(kSize, 1), g(kSize, 1), grad_avg(kSize), sqr_avg(kSize);
  const fastopt_tensor tensor{p.data(), g.data(), grad_avg.data(), sqr_avg.data(), nullptr, kSize,
                              0,        {}};
  const int32_t callbacks[] = {FASTOPT_WEIGHT_DECAY, FASTOPT_AVERAGE_GRAD_DAMPENED,
                               FASTOPT_AVERAGE_SQR_GRAD_DAMPENED, FASTOPT_STEP_STAT,
                               FASTOPT_NADAM_STEP};
  fastopt_plan* plan;
  fastopt_plan_options options{};
  options.state_dtype = options.dtype = FASTOPT_FLOAT32;
  options.isa = FASTOPT_AVX2;
  options.callbacks = callbacks;
  options.callback_count = 5;
  options.tensors = &tensor;
  options.tensor_count = 1;
  if (fastopt_plan_create(&options, &plan)) return 1;
  fastopt_hypers hypers{};
  hypers.lr = 1e-3;
  hypers.mom = 0.9;
  hypers.sqr_mom = 0.99;
  hypers.eps = 1e-8;
  hypers.wd = 0.01;
  fastopt_counters counters{0, 1, 1};
  for (int steps = std::atoi(arguments[1]); steps > 0; --steps)
    fastopt_plan_step(plan, &hypers, &counters, nullptr, nullptr);
  fastopt_plan_destroy(plan);
}
