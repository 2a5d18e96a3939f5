// The maths of one element, for host and device. What a callback touches it declares, and no more
// is loaded or stored.
#pragma once

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define FASTOPT_HD __host__ __device__ __forceinline__
#else
#include <cmath>
#if defined(__GNUC__)
#define FASTOPT_HD inline __attribute__((always_inline))
#else
#define FASTOPT_HD inline
#endif
#endif

namespace fastopt::fused {

#if !defined(__CUDACC_RTC__)
using std::pow;
using std::sqrt;  // else a float would be computed with in double
#endif

enum Arrays : unsigned { kParam = 1, kGrad = 2, kGradAvg = 4, kSqrAvg = 8, kSlow = 16 };

template <class Real>
struct Element {
  Real p, g, grad_avg, sqr_avg, slow;
};

// Computed in float64 outside the loop (callbacks.h).
enum Scalars {
  kDecay,
  kWd,
  kMom,
  kDamp,
  kSqrMom,
  kSqrDamp,
  kGradStep,
  kAvgStep,
  kSqrScale,
  kSqrGradScale,
  kEps,
  kGradScale,
  kSlowStep,
  kScalars
};

struct ScaleGrad {
  static constexpr unsigned reads = kGrad, writes = kGrad;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real* c) {
    e.g *= c[kGradScale];
  }
};

struct Decay {
  static constexpr unsigned reads = kParam, writes = kParam;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real* c) {
    e.p *= c[kDecay];
  }
};

struct L2 {
  static constexpr unsigned reads = kParam | kGrad, writes = kGrad;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real* c) {
    e.g += c[kWd] != 0 ? c[kWd] * e.p : Real(0);  // an infinite weight times 0 would be NaN
  }
};

struct Average {
  static constexpr unsigned reads = kGrad | kGradAvg, writes = kGradAvg;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real* c) {
    e.grad_avg = c[kMom] * e.grad_avg + c[kDamp] * e.g;
  }
};

struct AverageSqr {
  static constexpr unsigned reads = kGrad | kSqrAvg, writes = kSqrAvg;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real* c) {
    e.sqr_avg = c[kSqrMom] * e.sqr_avg + c[kSqrDamp] * e.g * e.g;
  }
};

struct GradStep {
  static constexpr unsigned reads = kParam | kGrad, writes = kParam;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real* c) {
    e.p -= c[kGradStep] * e.g;
  }
};

struct AvgStep {
  static constexpr unsigned reads = kParam | kGradAvg, writes = kParam;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real* c) {
    e.p -= c[kAvgStep] * e.grad_avg;
  }
};

struct RmsStep {
  static constexpr unsigned reads = kParam | kGrad | kSqrAvg, writes = kParam;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real* c) {
    e.p -= c[kGradStep] * e.g / (sqrt(e.sqr_avg) * c[kSqrScale] + c[kEps]);
  }
};

// Adam and its family, which differ in their scalars alone.
struct AdaptiveStep {
  static constexpr unsigned reads = kParam | kGrad | kGradAvg | kSqrAvg, writes = kParam;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real* c) {
    const Real num = c[kGradStep] * e.g + c[kAvgStep] * e.grad_avg;
    e.p -= num / (sqrt(e.sqr_avg) * c[kSqrScale] + c[kEps]);
  }
};

struct QuasiHyperbolicStep {
  static constexpr unsigned reads = kParam | kGrad | kGradAvg | kSqrAvg, writes = kParam;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real* c) {
    const Real num = c[kGradStep] * e.g + c[kAvgStep] * e.grad_avg;
    const Real sqr = c[kSqrGradScale] * e.g * e.g + c[kSqrScale] * e.sqr_avg;
    e.p -= num / (sqrt(sqr) + c[kEps]);
  }
};

struct SignStep {
  static constexpr unsigned reads = kParam | kGrad | kGradAvg, writes = kParam;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real* c) {
    const Real average = c[kMom] * e.grad_avg + c[kDamp] * e.g;
    e.p -= c[kAvgStep] * (Real(average > 0) - Real(average < 0));
  }
};

// Apart from Average, as one pass has both momenta of Lion.
struct AverageForLater {
  static constexpr unsigned reads = kGrad | kGradAvg, writes = kGradAvg;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real* c) {
    e.grad_avg = c[kSqrMom] * e.grad_avg + c[kSqrDamp] * e.g;
  }
};

struct AverageWeights {
  static constexpr unsigned reads = kParam | kSlow, writes = kSlow;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real* c) {
    e.slow += c[kSlowStep] * (e.p - e.slow);
  }
};

struct RestoreSlow {
  static constexpr unsigned reads = kSlow, writes = kParam;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real*) {
    e.p = e.slow;
  }
};

struct ZeroGrad {
  static constexpr unsigned reads = 0, writes = kGrad;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real*) {
    e.g = 0;
  }
};

struct Traffic {
  static constexpr unsigned reads = kParam | kGrad | kGradAvg | kSqrAvg;
  static constexpr unsigned writes = kParam | kGradAvg | kSqrAvg;
  template <class Real>
  static FASTOPT_HD void apply(Element<Real>& e, const Real* c) {
    e.p += c[kGradStep] * e.g;
    e.grad_avg += c[kGradStep] * e.g;
    e.sqr_avg += c[kGradStep] * e.g;
  }
};

}  // namespace fastopt::fused
