#pragma once
#include <cmath>
#include <random>
#include <span>
#include <vector>

#include "optim/fused/fused.h"

// The naive twin of the fused step: one element and one callback at a time, by the formulas of the
// papers.
namespace fused_twin {

using Callbacks = std::vector<int32_t>;

template <class T>
struct Tensor {
  std::vector<T> p, g, m, v, slow;
  int64_t group = 0;
  bool has_grad = true;
  fastopt_counters n{0, 1, 1};
};

template <class T>
Tensor<T> random_tensor(int64_t size, int64_t group, std::mt19937& random) {
  std::normal_distribution<double> normal;
  Tensor<T> t;
  t.group = group;
  for (int64_t i = 0; i < size; ++i) {
    t.p.push_back(normal(random));
    t.g.push_back(normal(random));
  }
  t.m.resize(size);
  t.v.resize(size);
  t.slow = t.p;
  return t;
}

struct Bias {
  double d1, d2;
  Bias(const fastopt_hypers& h, double step)
      : d1(1 - std::pow(h.mom, step)), d2(1 - std::pow(h.sqr_mom, step)) {}
};

inline double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

inline double radam(double g_avg, double v, const fastopt_hypers& h, double step, const Bias& d) {
  const double r_inf = 2 / (1 - h.sqr_mom) - 1;
  const double r = r_inf - 2 * step * (1 - d.d2) / d.d2;
  if (r <= 5) return h.lr / d.d1 * g_avg;
  const double rect = std::sqrt((r - 4) * (r - 2) * r_inf / ((r_inf - 4) * (r_inf - 2) * r));
  return h.lr * rect / d.d1 * g_avg / (std::sqrt(v / d.d2) + h.eps);
}

inline double torch_nadam(double g, double m, double v, const fastopt_hypers& h,
                          const fastopt_counters& n, const Bias& d) {
  const auto mu = [&](double step) {
    return h.mom * (1 - 0.5 * std::pow(0.96, step * h.momentum_decay));
  };
  const double now = mu(n.step), next = mu(n.step + 1);
  const double denom = std::sqrt(v / d.d2) + h.eps;
  return h.lr * (1 - now) / (1 - n.mu_product) * g / denom +
         h.lr * next / (1 - n.mu_product * next) * m / denom;
}

template <class T>
void apply(int32_t callback, T& p, T& g, T& m, T& v, T& slow, const fastopt_hypers& h,
           const fastopt_counters& n, const Bias& d) {
  switch (callback) {
    case FASTOPT_SCALE_GRAD:
      g *= h.grad_scale;
      break;
    case FASTOPT_WEIGHT_DECAY:
      if (n.do_wd) p *= 1 - h.lr * h.wd;
      break;
    case FASTOPT_L2_REG:
      if (n.do_wd) g += h.wd * p;
      break;
    case FASTOPT_AVERAGE_GRAD:
      m = h.mom * m + g;
      break;
    case FASTOPT_AVERAGE_GRAD_DAMPENED:
      m = h.mom * m + (1 - h.mom) * g;
      break;
    case FASTOPT_AVERAGE_SQR_GRAD:
      v = h.sqr_mom * v + g * g;
      break;
    case FASTOPT_AVERAGE_SQR_GRAD_DAMPENED:
      v = h.sqr_mom * v + (1 - h.sqr_mom) * g * g;
      break;
    case FASTOPT_SGD_STEP:
      p -= h.lr * g;
      break;
    case FASTOPT_MOMENTUM_STEP:
      p -= h.lr * m;
      break;
    case FASTOPT_RMS_PROP_STEP:
      p -= h.lr * g / (std::sqrt(v) + h.eps);
      break;
    case FASTOPT_RMS_PROP_MOMENTUM_STEP:
      p -= h.lr * m / (std::sqrt(v) + h.eps);
      break;
    case FASTOPT_ADAM_STEP:
      p -= h.lr / d.d1 * m / (std::sqrt(v / d.d2) + h.eps);
      break;
    case FASTOPT_NADAM_STEP:
      p -= h.lr / d.d1 * (h.mom * m + (1 - h.mom) * g) / (std::sqrt(v / d.d2) + h.eps);
      break;
    case FASTOPT_TORCH_NADAM_STEP:
      p -= torch_nadam(g, m, v, h, n, d);
      break;
    case FASTOPT_RADAM_STEP:
      p -= radam(m, v, h, n.step, d);
      break;
    case FASTOPT_QHADAM_STEP:
      p -= h.lr * ((1 - h.nu_1) * g + h.nu_1 * m / d.d1) /
           (std::sqrt((1 - h.nu_2) * g * g + h.nu_2 * v / d.d2) + h.eps);
      break;
    case FASTOPT_LION_STEP:
      p -= h.lr * sign(h.mom * m + (1 - h.mom) * g);
      break;
    case FASTOPT_LION_AVERAGE:
      m = h.sqr_mom * m + (1 - h.sqr_mom) * g;
      break;
    case FASTOPT_AVERAGE_WEIGHTS:
      slow += h.slow_step * (p - slow);
      break;
    case FASTOPT_RESTORE_SLOW:
      p = slow;
      break;
    case FASTOPT_ZERO_GRAD:
      g = 0;
      break;
  }
}

template <class T>
void naive_step(std::vector<Tensor<T>>& tensors, const Callbacks& callbacks,
                const std::vector<fastopt_hypers>& hypers) {
  for (auto& t : tensors) {
    if (!t.has_grad) continue;
    const auto& h = hypers[t.group];
    for (const auto callback : callbacks) {
      if (callback == FASTOPT_STEP_STAT) ++t.n.step;
      if (callback == FASTOPT_MU_PRODUCT)
        t.n.mu_product *= h.mom * (1 - 0.5 * std::pow(0.96, t.n.step * h.momentum_decay));
    }
    const Bias d(h, t.n.step);
    for (size_t i = 0; i < t.p.size(); ++i) {
      for (const auto callback : callbacks)
        apply(callback, t.p[i], t.g[i], t.m[i], t.v[i], t.slow[i], h, t.n, d);
    }
  }
}

inline const char* make_plan(fastopt_dtype dtype, fastopt_isa isa,
                             std::span<const int32_t> callbacks,
                             std::span<const fastopt_tensor> tensors, fastopt_plan** plan) {
  fastopt_plan_options options{};
  options.dtype = dtype;
  options.state_dtype = dtype == FASTOPT_FLOAT64 ? FASTOPT_FLOAT64 : FASTOPT_FLOAT32;
  options.isa = isa;
  options.callbacks = callbacks.data();
  options.callback_count = std::ssize(callbacks);
  options.tensors = tensors.data();
  options.tensor_count = std::ssize(tensors);
  return fastopt_plan_create(&options, plan);
}

template <class T>
class Fused {
 public:
  Fused(std::vector<Tensor<T>>& tensors, const Callbacks& callbacks, fastopt_isa isa) {
    std::vector<fastopt_tensor> table;
    for (auto& t : tensors) {
      table.push_back({t.p.data(),
                       t.has_grad ? t.g.data() : nullptr,
                       t.m.data(),
                       t.v.data(),
                       t.slow.data(),
                       static_cast<int64_t>(t.p.size()),
                       t.group,
                       {}});
      counters_.push_back(t.n);
    }
    const auto dtype = sizeof(T) == 8 ? FASTOPT_FLOAT64 : FASTOPT_FLOAT32;
    problem = make_plan(dtype, isa, callbacks, table, &plan_);
  }
  ~Fused() { fastopt_plan_destroy(plan_); }
  Fused(const Fused&) = delete;

  void step(const std::vector<fastopt_hypers>& hypers, fastopt_pool* pool) {
    fastopt_plan_step(plan_, hypers.data(), counters_.data(), pool ? fastopt_pool_run : nullptr,
                      pool);
  }
  const fastopt_counters& counters(size_t i) const { return counters_[i]; }

  const char* problem;

 private:
  fastopt_plan* plan_ = nullptr;
  std::vector<fastopt_counters> counters_;
};

template <class T>
bool close(const std::vector<T>& a, const std::vector<T>& b, double tolerance) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) return false;
    if (std::isnan(a[i]) || a[i] == b[i]) continue;
    if (!(std::abs(a[i] - b[i]) <= tolerance * (1 + std::abs(b[i])))) return false;
  }
  return true;
}

}  // namespace fused_twin
