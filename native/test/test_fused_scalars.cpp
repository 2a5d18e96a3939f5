#include <atomic>
#include <cmath>

#include "check.h"
#include "fused_twin.h"

using namespace fused_twin;

#ifdef __GNUC__
// In the place of the library's, to count what scalars cost.
static std::atomic<int> powers = 0;

extern "C" double pow(double base, double exponent) {
  ++powers;
  return static_cast<double>(powl(base, exponent));
}
#endif

namespace {

const Callbacks kTorchNadam{FASTOPT_WEIGHT_DECAY,
                            FASTOPT_AVERAGE_GRAD_DAMPENED,
                            FASTOPT_AVERAGE_SQR_GRAD_DAMPENED,
                            FASTOPT_STEP_STAT,
                            FASTOPT_MU_PRODUCT,
                            FASTOPT_TORCH_NADAM_STEP};
const Callbacks kAdam{FASTOPT_WEIGHT_DECAY, FASTOPT_AVERAGE_GRAD_DAMPENED,
                      FASTOPT_AVERAGE_SQR_GRAD_DAMPENED, FASTOPT_STEP_STAT, FASTOPT_ADAM_STEP};

std::vector<fastopt_hypers> two_groups() {
  fastopt_hypers hypers{};
  hypers.lr = 0.1;
  hypers.mom = 0.9;
  hypers.sqr_mom = 0.99;
  hypers.eps = 1e-8;
  hypers.wd = 0.5;
  hypers.momentum_decay = 0.004;
  auto others = hypers;
  others.lr = 0.3;
  others.mom = 0.8;
  return {hypers, others};
}

#ifdef __GNUC__
// As batchnorm's weights lie between those of convolutions.
void neighbours_that_differ_in_decay_compute_no_power_again() {
  std::mt19937 random(1);
  std::vector<Tensor<float>> tensors;
  for (int i = 0; i < 116; ++i) {
    tensors.push_back(random_tensor<float>(8, 0, random));
    tensors.back().n.do_wd = i % 2;
  }
  Fused<float> fused(tensors, kAdam, FASTOPT_BEST);
  const auto hypers = two_groups();
  const int before = powers;
  fused.step(hypers, nullptr);
  const int after = powers;
  EXPECT(after - before == 4);  // two for each value of do_wd
}
#endif

// Each tensor in a plan of its own, where no other can leave it scalars. They differ in one of what
// scalars depend on or in several, in more ways than are remembered, and come back to all of them.
void each_tensor_has_the_scalars_of_its_own_group_and_counters() {
  std::mt19937 random(2);
  std::vector<Tensor<double>> alone;
  for (int i = 0; i < 400; ++i) {
    const auto bits = i < 32 ? i / 2 : static_cast<int>(random() % 16);
    alone.push_back(random_tensor<double>(5, bits & 1, random));
    alone.back().n = {bits & 2 ? 7.0 : 0.0, bits & 4 ? 1.0 : 0.0, bits & 8 ? 0.5 : 1.0};
  }
  auto together = alone;
  const auto hypers = two_groups();
  Fused<double> fused(together, kTorchNadam, FASTOPT_BEST);
  fused.step(hypers, nullptr);
  for (size_t i = 0; i < alone.size(); ++i) {
    std::vector one{alone[i]};
    Fused<double> single(one, kTorchNadam, FASTOPT_BEST);
    single.step(hypers, nullptr);
    EXPECT(together[i].p == one[0].p);
    EXPECT(together[i].p != alone[i].p);
  }
}

}  // namespace

int main() {
#ifdef __GNUC__
  neighbours_that_differ_in_decay_compute_no_power_again();
#endif
  each_tensor_has_the_scalars_of_its_own_group_and_counters();
  return exit_code();
}
