#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <torch/csrc/autograd/generated/variable_factories.h>

#include "check.h"
#include "optim/wrapped.h"

using namespace fastopt::optim;

namespace {

Tensor parameter(double value) {
  auto p = torch::full({2}, value, at::kDouble);
  p.mutable_grad() = at::ones({2}, at::kDouble);
  return p;
}

std::vector<double> values_of(const Wrapped& optimizer, std::vector<double> lrs) {
  std::vector<double> values;
  for (const double lr : lrs) {
    for (const auto& [name, value] : optimizer.settings()) {
      values.push_back(name == "lr" ? lr : value);
    }
  }
  return values;
}

double first(const Tensor& tensor) { return tensor[0].item<double>(); }

void steps_groups_and_leaves_out() {
  const std::vector<Tensor> params{parameter(1), parameter(1), parameter(1)};
  const auto optimizer = create("SGD", params, {{"lr", 1}});
  const std::vector<int32_t> groups{0, 1, -1};
  optimizer->step(groups, values_of(*optimizer, {0.5, 0.25}), nullptr);
  EXPECT(first(params[0]) == 0.5);
  EXPECT(first(params[1]) == 0.75);
  EXPECT(first(params[2]) == 1);
}

void keeps_state_over_groups() {
  const std::vector<Tensor> params{parameter(1)};
  const auto optimizer = create("SGD", params, {{"momentum", 0.5}});
  for (const int32_t group : {0, 1}) {
    optimizer->step(std::vector{group}, values_of(*optimizer, {1, 1}), nullptr);
  }
  EXPECT(first(params[0]) == 1 - 1 - 1.5);
  EXPECT(optimizer->state(0).size() == 1);
  optimizer->clear_state();
  EXPECT(optimizer->state(0).empty());
}

void takes_momentum_that_comes_later() {
  const std::vector<Tensor> params{parameter(1)};
  const auto optimizer = create("RMSprop", params, {});
  auto values = values_of(*optimizer, {0.1});
  optimizer->step(std::vector{0}, values, nullptr);
  values[1] = 0.9;  // momentum
  optimizer->step(std::vector{0}, values, nullptr);
  EXPECT(first(params[0]) < 0);
}

void refuses_what_does_not_fit() {
  const std::vector<Tensor> params{parameter(1)};
  EXPECT(refuses<WrappedError>("expected SGD, Adam", [&] { create("Nadam", params, {}); }));
  EXPECT(refuses<WrappedError>("settings that it has", [&] { create("SGD", params, {{"x", 1}}); }));
  EXPECT(refuses<WrappedError>("got nothing", [&] { create("SGD", {Tensor()}, {}); }));
  EXPECT(
      refuses<c10::Error>("Invalid learning rate", [&] { create("SGD", params, {{"lr", -1}}); }));

  const auto adam = create("Adam", params, {});
  const auto values = values_of(*adam, {0.1});
  EXPECT(refuses<WrappedError>("a group for each",
                               [&] { adam->step(std::vector{0, 0}, values, nullptr); }));
  EXPECT(refuses<std::out_of_range>("", [&] { adam->step(std::vector{1}, values, nullptr); }));
  EXPECT(refuses<std::out_of_range>("", [&] { adam->state(1); }));
  EXPECT(refuses<WrappedError>("step: expected it", [&] { adam->set_state(0, {}); }));
  EXPECT(refuses<WrappedError>("step: expected an integer",
                               [&] { adam->set_state(0, {{"step", 0.5}}); }));
  EXPECT(refuses<WrappedError>("exp_avg: expected a Tensor", [&] {
    adam->set_state(0, {{"step", 1.0}, {"exp_avg", 1.0}, {"exp_avg_sq", 1.0}});
  }));
  EXPECT(refuses<WrappedError>("got momentum_buffer", [&] {
    create("SGD", params, {})->set_state(0, {{"momentum_buffer", params[0]}, {"sum", params[0]}});
  }));
}

void closures_leave_the_optimizer_alone() {
  const std::vector<Tensor> params{parameter(1)};
  const auto optimizer = create("SGD", params, {});
  const auto values = values_of(*optimizer, {0.1});
  const auto closure = [&]() -> Tensor {
    optimizer->clear_state();
    return {};
  };
  EXPECT(refuses<WrappedError>("leave the optimizer alone",
                               [&] { optimizer->step(std::vector{0}, values, closure); }));
  optimizer->step(std::vector{0}, values, nullptr);
  EXPECT(first(params[0]) == 0.9);
}

// libtorch itself reads past the end of its history here.
void history_may_shrink() {
  const std::vector<Tensor> params{parameter(3)};
  const auto optimizer = create("LBFGS", params, {{"max_iter", 4}, {"lr", 0.1}});
  const auto closure = [&] {
    params[0].mutable_grad() = params[0].pow(3);
    return params[0].pow(4).sum().mul(0.25);
  };
  auto values = values_of(*optimizer, {0.1});
  for (int i = 0; i < 3; ++i) optimizer->step(std::vector{0}, values, closure);
  values[5] = 2;  // history_size
  optimizer->step(std::vector{0}, values, closure);
  values[5] = 0;
  EXPECT(refuses<WrappedError>("history_size: expected at least 1",
                               [&] { optimizer->step(std::vector{0}, values, closure); }));
}

}  // namespace

int main() {
  steps_groups_and_leaves_out();
  keeps_state_over_groups();
  takes_momentum_that_comes_later();
  refuses_what_does_not_fit();
  closures_leave_the_optimizer_alone();
  history_may_shrink();
  return exit_code();
}
