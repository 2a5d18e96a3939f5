#pragma once
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

namespace fastopt::optim {

// The settings and the state of each optimizer, field by field: `each(name, field)` gets a
// reference, to read or to write. `each.optional` is for what may be undefined.
template <class Optimizer>
struct Fields;

template <>
struct Fields<torch::optim::SGD> {
  using Options = torch::optim::SGDOptions;
  using ParamState = torch::optim::SGDParamState;
  // lr has no default of its own.
  static Options defaults() { return Options(1e-3); }

  template <class Each>
  static void settings(Options& options, Each&& each) {
    each("lr", options.lr());
    each("momentum", options.momentum());
    each("dampening", options.dampening());
    each("weight_decay", options.weight_decay());
    each("nesterov", options.nesterov());
  }
  template <class Each>
  static void state(ParamState& state, Each&& each) {
    each.optional("momentum_buffer", state.momentum_buffer());
  }
};

template <class AdamOptions, class AdamState>
struct AdamFields {
  using Options = AdamOptions;
  using ParamState = AdamState;
  static Options defaults() { return {}; }

  template <class Each>
  static void settings(Options& options, Each&& each) {
    each("lr", options.lr());
    each("betas__0", std::get<0>(options.betas()));
    each("betas__1", std::get<1>(options.betas()));
    each("eps", options.eps());
    each("weight_decay", options.weight_decay());
    each("amsgrad", options.amsgrad());
  }
  template <class Each>
  static void state(ParamState& state, Each&& each) {
    each("step", state.step());
    each("exp_avg", state.exp_avg());
    each("exp_avg_sq", state.exp_avg_sq());
    each.optional("max_exp_avg_sq", state.max_exp_avg_sq());
  }
};

template <>
struct Fields<torch::optim::Adam>
    : AdamFields<torch::optim::AdamOptions, torch::optim::AdamParamState> {};
template <>
struct Fields<torch::optim::AdamW>
    : AdamFields<torch::optim::AdamWOptions, torch::optim::AdamWParamState> {};

template <>
struct Fields<torch::optim::RMSprop> {
  using Options = torch::optim::RMSpropOptions;
  using ParamState = torch::optim::RMSpropParamState;
  static Options defaults() { return {}; }

  template <class Each>
  static void settings(Options& options, Each&& each) {
    each("lr", options.lr());
    each("momentum", options.momentum());
    each("alpha", options.alpha());
    each("eps", options.eps());
    each("weight_decay", options.weight_decay());
    each("centered", options.centered());
  }
  template <class Each>
  static void state(ParamState& state, Each&& each) {
    each("step", state.step());
    each("square_avg", state.square_avg());
    each.optional("momentum_buffer", state.momentum_buffer());
    each.optional("grad_avg", state.grad_avg());
  }
};

template <>
struct Fields<torch::optim::Adagrad> {
  using Options = torch::optim::AdagradOptions;
  using ParamState = torch::optim::AdagradParamState;
  static Options defaults() { return {}; }

  template <class Each>
  static void settings(Options& options, Each&& each) {
    each("lr", options.lr());
    each("lr_decay", options.lr_decay());
    each("eps", options.eps());
    each("weight_decay", options.weight_decay());
    each("initial_accumulator_value", options.initial_accumulator_value());
  }
  template <class Each>
  static void state(ParamState& state, Each&& each) {
    each("step", state.step());
    each("sum", state.sum());
  }
};

template <>
struct Fields<torch::optim::LBFGS> {
  using Options = torch::optim::LBFGSOptions;
  using ParamState = torch::optim::LBFGSParamState;
  static Options defaults() { return Options().max_eval(25); }

  template <class Each>
  static void settings(Options& options, Each&& each) {
    each("lr", options.lr());
    each("max_iter", options.max_iter());
    each("max_eval", *options.max_eval());
    each("tolerance_grad", options.tolerance_grad());
    each("tolerance_change", options.tolerance_change());
    each("history_size", options.history_size());
    bool strong_wolfe = options.line_search_fn().has_value();
    each("strong_wolfe", strong_wolfe);
    if (strong_wolfe)
      options.line_search_fn("strong_wolfe");
    else
      options.line_search_fn(std::nullopt);
  }
  template <class Each>
  static void state(ParamState& state, Each&& each) {
    each("func_evals", state.func_evals());
    each("n_iter", state.n_iter());
    each("t", state.t());
    each("prev_loss", state.prev_loss());
    each.optional("d", state.d());
    each.optional("H_diag", state.H_diag());
    each.optional("prev_flat_grad", state.prev_flat_grad());
    each("old_dirs", state.old_dirs());
    each("old_stps", state.old_stps());
    each("ro", state.ro());
  }
};

}  // namespace fastopt::optim
