#include "check.h"
#include "fused_cases.h"
#include "fused_twin.h"

using namespace fused_cases;
using namespace fused_twin;

// Every list of callbacks that users run, on every instruction set of this machine, against the
// naive twin.
namespace {

const fastopt_isa kIsas[] = {FASTOPT_BEST, FASTOPT_PORTABLE, FASTOPT_AVX2, FASTOPT_AVX512};

// Ten steps of every list on every instruction set of this machine; groups, do_wd, gradients and
// sizes differ.
template <class T>
void follows_the_twin(double tolerance) {
  std::mt19937 random(1);
  std::vector<Tensor<T>> start;
  for (const int64_t size : {0, 1, 7, 8, 9, 1023, 1024, 1025, 3, 66001, 0}) {
    start.push_back(random_tensor<T>(size, std::ssize(start) % 2, random));
    start.back().n.do_wd = std::ssize(start) % 3 != 0;
  }
  start[5].has_grad = false;
  start[6].n.step = 7;
  auto* pool = fastopt_pool_create(3);
  for (const auto& [name, callbacks] : kCases) {
    for (const auto isa : kIsas) {
      auto twins = start, tensors = start;
      Fused<T> fused(tensors, callbacks, isa);
      if (isa > FASTOPT_PORTABLE && fused.problem) continue;
      EXPECT_FOR(name, fused.problem == nullptr);
      for (int i = 0; i < 10; ++i) {
        naive_step(twins, callbacks, kHypers);
        fused.step(kHypers, isa == FASTOPT_BEST ? pool : nullptr);
      }
      for (size_t i = 0; i < tensors.size(); ++i) {
        const auto &t = tensors[i], &twin = twins[i];
        EXPECT_FOR(name, close(t.p, twin.p, tolerance));
        EXPECT_FOR(name, close(t.g, twin.g, tolerance));
        EXPECT_FOR(name, close(t.m, twin.m, tolerance));
        EXPECT_FOR(name, close(t.v, twin.v, tolerance));
        EXPECT_FOR(name, close(t.slow, twin.slow, tolerance));
        if (t.p.empty()) continue;  // has no address, and so is never counted
        EXPECT_FOR(name, fused.counters(i).step == twin.n.step);
        EXPECT_FOR(name, std::abs(fused.counters(i).mu_product - twin.n.mu_product) < 1e-15);
      }
    }
  }
  fastopt_pool_destroy(pool);
}
}  // namespace

int main() {
  follows_the_twin<float>(2e-5);
  follows_the_twin<double>(1e-12);
  return exit_code();
}
