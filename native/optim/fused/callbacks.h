// What callbacks count, and their scalars, in float64; for host and device, as a captured step
// counts on the device.
#pragma once
#include "optim/fused/element.h"
#include "optim/fused/fused.h"

namespace fastopt::fused {

using Hypers = fastopt_hypers;
using Counters = fastopt_counters;

// `d` such that an average with dampening, begun at 0, is unbiased when divided by it.
FASTOPT_HD double debias(double mom, double step) { return 1 - pow(mom, step); }

// Counts nothing and has no maths of its own, unless a callback says otherwise.
struct Callback {
  using Op = void;
  static FASTOPT_HD void count(const Hypers&, Counters&) {}
  static FASTOPT_HD void scalars(const Hypers&, const Counters&, double*) {}
};

template <class Element>
struct Elementwise : Callback {
  using Op = Element;
};

struct StepStat : Callback {
  static FASTOPT_HD void count(const Hypers&, Counters& n) { n.step += 1; }
};

struct ScaleGradBy : Elementwise<ScaleGrad> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters&, double* c) {
    c[kGradScale] = h.grad_scale;
  }
};

struct WeightDecay : Elementwise<Decay> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters& n, double* c) {
    c[kDecay] = n.do_wd != 0 ? 1 - h.lr * h.wd : 1;
  }
};

struct L2Reg : Elementwise<L2> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters& n, double* c) {
    c[kWd] = n.do_wd != 0 ? h.wd : 0;
  }
};

template <bool dampening>
struct AverageGrad : Elementwise<Average> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters&, double* c) {
    c[kMom] = h.mom;
    c[kDamp] = dampening ? 1 - h.mom : 1;
  }
};

template <bool dampening>
struct AverageSqrGrad : Elementwise<AverageSqr> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters&, double* c) {
    c[kSqrMom] = h.sqr_mom;
    c[kSqrDamp] = dampening ? 1 - h.sqr_mom : 1;
  }
};

struct SgdStep : Elementwise<GradStep> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters&, double* c) {
    c[kGradStep] = h.lr;
  }
};

struct MomentumStep : Elementwise<AvgStep> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters&, double* c) {
    c[kAvgStep] = h.lr;
  }
};

struct RmsPropStep : Elementwise<RmsStep> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters&, double* c) {
    c[kGradStep] = h.lr;
    c[kSqrScale] = 1;
    c[kEps] = h.eps;
  }
};

// Sets `p -= (grad * g + avg * grad_avg) / (sqrt(sqr_avg / d2) + eps)`.
FASTOPT_HD void set_adaptive(double* c, double grad, double avg, double d2, double eps) {
  c[kGradStep] = grad;
  c[kAvgStep] = avg;
  c[kSqrScale] = 1 / sqrt(d2);
  c[kEps] = eps;
}

struct RmsPropMomentumStep : Elementwise<AdaptiveStep> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters&, double* c) {
    set_adaptive(c, 0, h.lr, 1, h.eps);
  }
};

struct AdamStep : Elementwise<AdaptiveStep> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters& n, double* c) {
    set_adaptive(c, 0, h.lr / debias(h.mom, n.step), debias(h.sqr_mom, n.step), h.eps);
  }
};

struct NadamStep : Elementwise<AdaptiveStep> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters& n, double* c) {
    const double lr = h.lr / debias(h.mom, n.step);
    set_adaptive(c, lr * (1 - h.mom), lr * h.mom, debias(h.sqr_mom, n.step), h.eps);
  }
};

// The momentum of a step in torch.optim.NAdam.
FASTOPT_HD double scheduled_mom(const Hypers& h, double step) {
  return h.mom * (1 - 0.5 * pow(0.96, step * h.momentum_decay));
}

struct MuProduct : Callback {
  static FASTOPT_HD void count(const Hypers& h, Counters& n) {
    n.mu_product *= scheduled_mom(h, n.step);
  }
};

struct TorchNadamStep : Elementwise<AdaptiveStep> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters& n, double* c) {
    const double mu = scheduled_mom(h, n.step), next = scheduled_mom(h, n.step + 1);
    set_adaptive(c, h.lr * (1 - mu) / (1 - n.mu_product), h.lr * next / (1 - n.mu_product * next),
                 debias(h.sqr_mom, n.step), h.eps);
  }
};

// Liu et al. 2020; while the variance can't be rectified, the step is momentum's: a denominator
// of 1.
struct RAdamStep : Elementwise<AdaptiveStep> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters& n, double* c) {
    const double d2 = debias(h.sqr_mom, n.step), r_inf = 2 / (1 - h.sqr_mom) - 1;
    const double r = r_inf - 2 * n.step * (1 - d2) / d2, lr = h.lr / debias(h.mom, n.step);
    if (r > 5) {
      const double v = ((r - 4) * (r - 2) * r_inf) / ((r_inf - 4) * (r_inf - 2) * r);
      set_adaptive(c, 0, lr * sqrt(v), d2, h.eps);
    } else {
      set_adaptive(c, 0, lr, 1, 1);
      c[kSqrScale] = 0;
    }
  }
};

struct QHAdamStep : Elementwise<QuasiHyperbolicStep> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters& n, double* c) {
    c[kGradStep] = h.lr * (1 - h.nu_1);
    c[kAvgStep] = h.lr * h.nu_1 / debias(h.mom, n.step);
    c[kSqrGradScale] = 1 - h.nu_2;
    c[kSqrScale] = h.nu_2 / debias(h.sqr_mom, n.step);
    c[kEps] = h.eps;
  }
};

// Chen et al. 2023: `mom` and `sqr_mom` are its two betas, and the step comes before the average.
struct LionStep : Elementwise<SignStep> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters&, double* c) {
    c[kMom] = h.mom;
    c[kDamp] = 1 - h.mom;
    c[kAvgStep] = h.lr;
  }
};

struct LionAverage : Elementwise<AverageForLater> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters&, double* c) {
    c[kSqrMom] = h.sqr_mom;
    c[kSqrDamp] = 1 - h.sqr_mom;
  }
};

struct AverageSlow : Elementwise<AverageWeights> {
  static FASTOPT_HD void scalars(const Hypers& h, const Counters&, double* c) {
    c[kSlowStep] = h.slow_step;
  }
};

struct RestoreWeights : Elementwise<RestoreSlow> {};
struct ZeroGradients : Elementwise<ZeroGrad> {};

// Adds 0, which the compiler doesn't know.
struct MemoryTraffic : Elementwise<Traffic> {
  static FASTOPT_HD void scalars(const Hypers&, const Counters&, double* c) { c[kGradStep] = 0; }
};

// In the order of `enum fastopt_callback`.
#define FASTOPT_CALLBACK_TYPES                                                                   \
  StepStat, MuProduct, ScaleGradBy, WeightDecay, L2Reg, AverageGrad<false>, AverageGrad<true>,   \
      AverageSqrGrad<false>, AverageSqrGrad<true>, SgdStep, MomentumStep, RmsPropStep,           \
      RmsPropMomentumStep, AdamStep, NadamStep, TorchNadamStep, RAdamStep, QHAdamStep, LionStep, \
      LionAverage, AverageSlow, RestoreWeights, ZeroGradients, MemoryTraffic

}  // namespace fastopt::fused
