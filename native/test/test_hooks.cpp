#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>

#include <stdexcept>
#include <thread>
#include <vector>

#include "check.h"
#include "core/hooks.h"
#include "core/warnings.h"
#include "nn/layer.h"

using namespace fastopt;

namespace {

struct Call {
  int64_t hook;
  double input, output;
  bool operator==(const Call&) const = default;
};

// Writes down each call; doubles gradients, and replaces the output of hook 9 by 100.
struct Recorder : HookRunner {
  std::vector<Call> calls;
  at::Tensor on_gradient(int64_t hook, const at::Tensor& gradient) override {
    calls.push_back({hook, 0, gradient.item<double>()});
    return gradient * 2;
  }
  at::Tensor on_output(int64_t hook, const at::Tensor& input, const at::Tensor& output) override {
    calls.push_back({hook, input.item<double>(), output.item<double>()});
    return hook == 9 ? at::full_like(output, 100) : at::Tensor();
  }
};

// x + `step`
class Add final : public nn::Layer {
 public:
  explicit Add(double step) : Layer("Add"), step_(step) {}
  at::Tensor forward(const at::Tensor& input) override { return input + step_; }

 protected:
  nn::LayerPtr shallow_copy() const override { return std::make_shared<Add>(*this); }

 private:
  double step_;
};

void layer_hooks_run_children_first_and_may_replace() {
  const auto first = std::make_shared<Add>(1);
  const auto second = std::make_shared<Add>(10);
  nn::Sequential both({first, second});
  both.hooks() = {1, 2};
  first->hooks() = {3, 9, 4};
  second->hooks() = {5};
  const auto copy = both.copy();

  Recorder recorder;
  const HookScope scope(&recorder);
  EXPECT(both.run(at::ones({})).item<double>() == 110);
  EXPECT(recorder.calls ==
         std::vector<Call>{
             {3, 1, 2}, {9, 1, 2}, {4, 1, 100}, {5, 100, 110}, {1, 1, 110}, {2, 1, 110}});
  recorder.calls.clear();
  EXPECT(copy->run(at::ones({})).item<double>() == 12);
  EXPECT(recorder.calls.empty());
}

void layer_hooks_need_a_runner() {
  Add add(1);
  add.hooks() = {1};
  EXPECT(refuses<c10::Error>("hook", [&] { add.run(at::ones({})); }));
}

void gradient_hooks_change_the_gradient_and_tell_when_they_die() {
  const auto dead = std::make_shared<DeadHooks>();
  {
    auto x = at::ones({}).requires_grad_();
    auto y = x * 3;
    add_gradient_hook(y, 7, dead);
    const auto position = add_gradient_hook(x, 8, dead);
    Recorder recorder;
    {
      const HookScope scope(&recorder);
      y.backward({}, true);
      EXPECT(x.grad().item<double>() == 12);
      EXPECT(recorder.calls == std::vector<Call>{{7, 0, 1}, {8, 0, 6}});
      x.remove_hook(position);
      y.backward({}, true);
      EXPECT(x.grad().item<double>() == 18);
    }
    EXPECT(refuses<c10::Error>("hook", [&] { y.backward({}, true); }));
    dead->take();
  }
  EXPECT(dead->take() == std::vector<int64_t>{7});
  EXPECT(dead->take().empty());
}

// Writes down on which thread it is called, and whether gradients are recorded; fails for hook 13.
struct Witness : HookRunner {
  std::vector<std::thread::id> threads;
  std::vector<bool> recorded;
  at::Tensor on_gradient(int64_t hook, const at::Tensor& gradient) override {
    threads.push_back(std::this_thread::get_id());
    recorded.push_back(at::GradMode::is_enabled());
    if (hook == 13) throw std::runtime_error("unlucky");
    return gradient * 2;
  }
};

void a_pass_elsewhere_runs_its_hooks_here() {
  const auto dead = std::make_shared<DeadHooks>();
  const auto here = std::this_thread::get_id();
  Witness witness;
  auto x = at::ones({}).requires_grad_();
  auto y = x * 3;
  add_gradient_hook(y, 1, dead);
  std::thread::id there;
  bool records = true;
  const at::NoGradGuard no_grad;
  run_with_hooks_here(witness, [&] {
    there = std::this_thread::get_id();
    records = at::GradMode::is_enabled();
    y.backward({}, true);
  });
  EXPECT(there != here);
  EXPECT(!records);
  EXPECT(witness.threads == std::vector{here});
  EXPECT(x.grad().item<double>() == 6);

  add_gradient_hook(x, 13, dead);
  EXPECT(refuses<std::runtime_error>("unlucky",
                                     [&] { run_with_hooks_here(witness, [&] { y.backward(); }); }));
  EXPECT(refuses<c10::Error>("hook", [&] { y.backward(); }));
}

void hooks_of_a_pass_elsewhere_have_its_state() {
  const auto dead = std::make_shared<DeadHooks>();
  Witness witness;
  auto x = at::ones({}).requires_grad_();
  auto y = x * x;
  add_gradient_hook(x, 1, dead);
  for (const bool create_graph : {false, true}) {
    const at::AutoGradMode here(!create_graph);
    run_with_hooks_here(witness, [&] { y.backward({}, true, create_graph); });
  }
  EXPECT(witness.recorded == (std::vector{false, true}));
  x.mutable_grad().reset();  // it holds a graph that holds x
}

void a_pass_elsewhere_warns_here() {
  WarningQueue queue;
  queue.install();
  HookRunner runner;
  run_with_hooks_here(runner, [] { TORCH_WARN("mind the gap"); });
  queue.uninstall();
  const auto warnings = queue.take();
  EXPECT(warnings.size() == 1 && warnings[0].msg() == "mind the gap");
}

// Begins a pass in its hook, as a thread that does all of a GPU's work waits for it.
struct Nesting : HookRunner {
  std::thread::id inner;
  at::Tensor leaf = at::ones({}).requires_grad_();
  at::Tensor on_gradient(int64_t hook, const at::Tensor&) override {
    if (hook != 1) return {};
    run_with_hooks_here(*this, [&] {
      inner = std::this_thread::get_id();
      const at::AutoGradMode records(true);
      (leaf * 5).backward();
    });
    return {};
  }
};

void a_pass_that_a_hook_begins_runs_where_the_hook_is_waited_for() {
  const auto dead = std::make_shared<DeadHooks>();
  Nesting nesting;
  auto x = at::ones({}).requires_grad_();
  add_gradient_hook(x, 1, dead);
  add_gradient_hook(nesting.leaf, 2, dead);
  std::thread::id outer;
  run_with_hooks_here(nesting, [&] {
    outer = std::this_thread::get_id();
    const at::AutoGradMode records(true);
    (x * 3).backward();
  });
  EXPECT(nesting.inner == outer);
  EXPECT(outer != std::this_thread::get_id());
  EXPECT(x.grad().item<double>() == 3);
  EXPECT(nesting.leaf.grad().item<double>() == 5);
}

}  // namespace

int main() {
  layer_hooks_run_children_first_and_may_replace();
  layer_hooks_need_a_runner();
  gradient_hooks_change_the_gradient_and_tell_when_they_die();
  a_pass_elsewhere_runs_its_hooks_here();
  hooks_of_a_pass_elsewhere_have_its_state();
  a_pass_elsewhere_warns_here();
  a_pass_that_a_hook_begins_runs_where_the_hook_is_waited_for();
  return exit_code();
}
