#include <cmath>
#include <cstdint>
#include <limits>

#include "check.h"
#include "fused_twin.h"

using namespace fused_twin;

// Weights and gradients of 16 bits: a step is computed with float32, and rounded once.
namespace {

struct Format {
  fastopt_dtype dtype;
  int bits;   // of the mantissa, without the first one
  int least;  // the exponent of the smallest normal number

  int bias() const { return 1 - least; }

  // The number that 16 bits stand for.
  double number(uint16_t stored) const {
    const int mantissa = stored & ((1 << bits) - 1), exponent = (stored & 0x7fff) >> bits;
    const double sign = stored & 0x8000 ? -1 : 1;
    if (exponent == 2 * bias() + 1)
      return mantissa ? std::nan("") : sign * std::numeric_limits<double>::infinity();
    if (exponent == 0) return sign * std::ldexp(mantissa, least - bits);
    return sign * std::ldexp(mantissa + (1 << bits), exponent - bias() - bits);
  }

  double spacing(double x) const {
    return std::ldexp(1, (x == 0 ? least : std::max(std::ilogb(x), least)) - bits);
  }

  // To nearest, and of two that are as near, to the even one.
  double rounded(double x) const { return std::nearbyint(x / spacing(x)) * spacing(x); }

  // Of a random sign and mantissa.
  uint16_t stored(int exponent, std::mt19937& random) const {
    const auto draw = static_cast<uint16_t>(random());
    const int mantissa = draw & ((1 << bits) - 1);
    return static_cast<uint16_t>((draw & 0x8000) | (exponent + bias()) << bits | mantissa);
  }
};

const Format kFormats[] = {{FASTOPT_BFLOAT16, 7, -126}, {FASTOPT_FLOAT16, 10, -14}};
const fastopt_isa kIsas[] = {FASTOPT_BEST, FASTOPT_PORTABLE, FASTOPT_AVX2, FASTOPT_AVX512};

const fastopt_hypers kHyper{.lr = 1e-2,
                            .mom = 0.9,
                            .sqr_mom = 0.99,
                            .eps = 1e-8,
                            .wd = 0.1,
                            .nu_1 = 0.7,
                            .nu_2 = 0.9,
                            .momentum_decay = 4e-3,
                            .grad_scale = 1,
                            .slow_step = 0,
                            .own = {}};

constexpr int32_t kDecay = FASTOPT_WEIGHT_DECAY, kCount = FASTOPT_STEP_STAT;
constexpr int32_t kAverage = FASTOPT_AVERAGE_GRAD_DAMPENED;
constexpr int32_t kAverageSqr = FASTOPT_AVERAGE_SQR_GRAD_DAMPENED;
// One loop each.
const Callbacks kLists[] = {
    {kDecay, FASTOPT_SGD_STEP},
    {kDecay, kAverage, FASTOPT_MOMENTUM_STEP},
    {kDecay, kAverageSqr, FASTOPT_RMS_PROP_STEP},
    {kDecay, kAverage, kAverageSqr, kCount, FASTOPT_ADAM_STEP},
    {kDecay, kAverage, kAverageSqr, kCount, FASTOPT_NADAM_STEP},
    {kDecay, kAverage, kAverageSqr, kCount, FASTOPT_QHADAM_STEP},
    {kDecay, FASTOPT_LION_STEP, FASTOPT_LION_AVERAGE},
};

class Halves {
 public:
  Halves(const Format& format, int64_t size) : format_(format) {
    std::mt19937 random(6);
    std::uniform_real_distribution<float> average(0.1f, 1);
    for (int64_t i = 0; i < size; ++i) {
      // Also weights that are no normal numbers, which nothing but decay changes.
      const bool small = i % 50 == 7;
      p_.push_back(format.stored(small ? format.least - 1 : static_cast<int>(i % 5) - 4, random));
      g_.push_back(small ? 0 : format.stored(static_cast<int>(i % 3) - 2, random));
      m_.push_back(small ? 0 : average(random) - 0.5f);
      v_.push_back(average(random));
      twin_.p.push_back(static_cast<float>(format.number(p_.back())));
      twin_.g.push_back(static_cast<float>(format.number(g_.back())));
    }
    twin_.m = m_;
    twin_.v = v_;
    twin_.slow = twin_.p;
  }

  // Whether there are kernels.
  bool step(const Callbacks& callbacks, fastopt_isa isa) {
    fastopt_tensor t{p_.data(), g_.data(), m_.data(), v_.data(), nullptr, std::ssize(p_), 0, {}};
    fastopt_counters n{3, 1, 1};
    fastopt_plan* plan = nullptr;
    if (make_plan(format_.dtype, isa, callbacks, {&t, 1}, &plan)) return false;
    fastopt_plan_step(plan, &kHyper, &n, nullptr, nullptr);
    fastopt_plan_destroy(plan);
    return true;
  }

  void expect_like_twin(const Callbacks& callbacks) {
    twin_.n.step = 3;
    std::vector twins{twin_};
    naive_step(twins, callbacks, {kHyper});
    int64_t otherwise = 0;
    for (size_t i = 0; i < p_.size(); ++i) {
      const double got = format_.number(p_[i]), wanted = format_.rounded(twins[0].p[i]);
      // Two ways to compute with float32 may lie on either side of what is halfway.
      EXPECT(std::abs(got - wanted) <= format_.spacing(wanted));
      otherwise += got != wanted;
    }
    EXPECT(otherwise <= std::ssize(p_) / 500);
    EXPECT(close(m_, twins[0].m, 1e-6));
    EXPECT(close(v_, twins[0].v, 1e-6));
  }

  uint16_t& weight(size_t i) { return p_[i]; }
  uint16_t& gradient(size_t i) { return g_[i]; }

 private:
  const Format& format_;
  std::vector<uint16_t> p_, g_;
  std::vector<float> m_, v_;
  Tensor<float> twin_;
};

void weights_are_rounded_once() {
  for (const auto& format : kFormats) {
    for (const auto& list : kLists) {
      for (const auto isa : kIsas) {
        Halves halves(format, 4099);
        if (halves.step(list, isa))
          halves.expect_like_twin(list);
        else
          EXPECT(isa > FASTOPT_PORTABLE || format.dtype == FASTOPT_FLOAT16);
      }
    }
  }
}

// 1 and the number after it, each and a half of what lies between them: to the even one.
void what_is_halfway_goes_to_the_even_one() {
  auto hyper = kHyper;
  hyper.lr = 1;
  const int32_t sgd[] = {FASTOPT_SGD_STEP};
  for (const auto& format : kFormats) {
    for (const auto isa : kIsas) {
      const auto one = static_cast<uint16_t>(format.bias() << format.bits);
      const auto minus_half =
          static_cast<uint16_t>(0x8000 | (one - ((format.bits + 1) << format.bits)));
      std::vector<uint16_t> p, g(70, minus_half), wanted;
      for (uint16_t i = 0; i < 70; ++i) {
        p.push_back(one + i % 2);
        wanted.push_back(one + i % 2 * 2);
      }
      fastopt_tensor t{p.data(), g.data(), nullptr, nullptr, nullptr, 70, 0, {}};
      fastopt_counters n{0, 1, 1};
      fastopt_plan* plan = nullptr;
      if (make_plan(format.dtype, isa, sgd, {&t, 1}, &plan)) continue;
      fastopt_plan_step(plan, &hyper, &n, nullptr, nullptr);
      fastopt_plan_destroy(plan);
      EXPECT(p == wanted);
    }
  }
}

// In each lane of a vector, and behind the last whole one.
void what_is_no_number_or_too_large_stays_so() {
  for (const auto& format : kFormats) {
    for (const auto isa : kIsas) {
      const uint16_t infinity = static_cast<uint16_t>((2 * format.bias() + 1) << format.bits);
      for (size_t i = 0; i < 35; ++i) {
        Halves halves(format, 35);
        halves.gradient(i) = infinity | 1;
        halves.weight((i + 1) % 35) = infinity;
        if (!halves.step(kLists[0], isa)) continue;
        EXPECT(std::isnan(format.number(halves.weight(i))));
        EXPECT(halves.weight((i + 1) % 35) == infinity);
      }
    }
  }
}

}  // namespace

int main() {
  weights_are_rounded_once();
  what_is_halfway_goes_to_the_even_one();
  what_is_no_number_or_too_large_stays_so();
  return exit_code();
}
