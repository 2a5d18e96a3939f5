#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
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

  // The runner of this thread's innermost pass; throws when there is none.
  static HookRunner& current();
};

// Makes a runner current for a block.
class HookScope {
 public:
  explicit HookScope(HookRunner* runner);
  ~HookScope();
  HookScope(const HookScope&) = delete;
  HookScope& operator=(const HookScope&) = delete;

 private:
  HookRunner* outer_;
};

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
