#pragma once
#include <ATen/core/Tensor.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace fastopt {

// Calls back into whoever runs a backward or forward pass. Hooks are numbers to libtorch and to the
// modules; the runner of the pass at hand knows what they mean.
class HookRunner {
 public:
  virtual ~HookRunner() = default;
  // An undefined result leaves the gradient or output as it is.
  virtual at::Tensor on_gradient(int64_t hook, const at::Tensor& gradient);
  virtual at::Tensor on_output(int64_t hook, const at::Tensor& input, const at::Tensor& output);

  // The runner of the innermost pass, of this thread or of the one that autograd works for here;
  // throws when there is none.
  static HookRunner& current();
};

// Makes a runner current for a block, also on the threads where autograd works for this one.
class HookScope {
 public:
  explicit HookScope(HookRunner* runner);

 private:
  c10::DebugInfoGuard guard_;
};

// Runs a pass on a thread of its own, and its hooks on this one. What lies on a GPU autograd
// computes on threads of its own, which may not run JavaScript, while the one that began the pass
// has no ear for them. A pass that a hook begins goes to the thread that waits for the hook.
void run_with_hooks_here(HookRunner& runner, const std::function<void()>& pass);

// Collects the numbers of hooks whose graph is gone; any thread may add.
class DeadHooks {
 public:
  void add(int64_t hook);
  std::vector<int64_t> take();

 private:
  std::mutex mutex_;
  std::vector<int64_t> hooks_;
};

// Registers a gradient hook; returns its position, which `Tensor::remove_hook` takes.
int64_t add_gradient_hook(const at::Tensor& tensor, int64_t hook, std::shared_ptr<DeadHooks> dead);

}  // namespace fastopt
