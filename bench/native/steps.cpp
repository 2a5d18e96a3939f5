// Steps float32 tensors by the kernels alone, as Nadam does, and prints the median microseconds of
// a step:
//
//     fused_steps <number of a fastopt_isa> <steps> <megabytes to write before each step> <size>...
//
// For bench/step.ts, and under valgrind for scripts/bench/callgrind.ts.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "optim/fused/fused.h"

namespace {

struct Arrays {
  explicit Arrays(size_t size) : param(size, 1), grad(size, 1), grad_avg(size), sqr_avg(size) {}
  std::vector<float> param, grad, grad_avg, sqr_avg;
};

fastopt_tensor tensor_of(Arrays& arrays) {
  fastopt_tensor tensor{};
  tensor.param = arrays.param.data();
  tensor.grad = arrays.grad.data();
  tensor.grad_avg = arrays.grad_avg.data();
  tensor.sqr_avg = arrays.sqr_avg.data();
  tensor.size = static_cast<int64_t>(arrays.param.size());
  return tensor;
}

fastopt_hypers make_hypers() {
  fastopt_hypers hypers{};
  hypers.lr = 1e-3;
  hypers.mom = 0.9;
  hypers.sqr_mom = 0.99;
  hypers.eps = 1e-8;
  hypers.wd = 0.01;
  return hypers;
}

constexpr int32_t kNadam[] = {FASTOPT_WEIGHT_DECAY, FASTOPT_AVERAGE_GRAD_DAMPENED,
                              FASTOPT_AVERAGE_SQR_GRAD_DAMPENED, FASTOPT_STEP_STAT,
                              FASTOPT_NADAM_STEP};

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) return 2;
  std::vector<double> microseconds(std::atoi(arguments[2]));
  std::vector<char> flushed(std::atoll(arguments[3]) << 20);
  std::vector<Arrays> arrays;
  for (int i = 4; i < count; ++i) arrays.emplace_back(std::atoll(arguments[i]));
  std::vector<fastopt_tensor> tensors;
  for (auto& each : arrays) tensors.push_back(tensor_of(each));
  std::vector<fastopt_counters> counters(tensors.size(), {0, 1, 1});
  const auto hypers = make_hypers();
  fastopt_plan_options options{};
  options.state_dtype = options.dtype = FASTOPT_FLOAT32;
  options.isa = static_cast<fastopt_isa>(std::atoi(arguments[1]));
  options.callbacks = kNadam;
  options.callback_count = std::size(kNadam);
  options.tensors = tensors.data();
  options.tensor_count = static_cast<int64_t>(tensors.size());
  fastopt_plan* plan;
  if (const char* problem = fastopt_plan_create(&options, &plan)) {
    std::fprintf(stderr, "fused_steps: %s\n", problem);
    return 1;
  }
  for (auto& each : microseconds) {
    for (auto& byte : flushed) ++byte;
    const auto start = std::chrono::steady_clock::now();
    fastopt_plan_step(plan, &hypers, counters.data(), nullptr, nullptr);
    const std::chrono::duration<double, std::micro> taken =
        std::chrono::steady_clock::now() - start;
    each = taken.count();
  }
  fastopt_plan_destroy(plan);
  std::sort(microseconds.begin(), microseconds.end());
  std::printf("%.3f\n", microseconds[microseconds.size() / 2]);
}
