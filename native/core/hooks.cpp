#include "core/hooks.h"

#include <ATen/ThreadLocalState.h>
#include <c10/util/Exception.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <future>
#include <thread>
#include <utility>

#include "core/cuda.h"

namespace fastopt {
namespace {

// Travels with the state of a thread that libtorch hands on to those that work for it. libtorch
// itself uses this kind of information in its own tests alone.
c10::DebugInfoKind info_kind() { return c10::DebugInfoKind::TEST_INFO; }

struct Current final : c10::DebugInfoBase {
  explicit Current(HookRunner* runner) : runner(runner) {}
  HookRunner* runner;
};

// Lets other threads run hooks on the thread that serves them.
class HookServer final : public HookRunner {
 public:
  explicit HookServer(HookRunner& runner) : runner_(runner) {}

  at::Tensor on_gradient(int64_t hook, const at::Tensor& gradient) override {
    return ask([&] { return runner_.on_gradient(hook, gradient); });
  }
  at::Tensor on_output(int64_t hook, const at::Tensor& input, const at::Tensor& output) override {
    return ask([&] { return runner_.on_output(hook, input, output); });
  }

  // Runs what is asked until nothing will be.
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return finished_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }
  void finish() {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_one();
  }

 private:
  using Task = std::packaged_task<at::Tensor()>;

  // What the task throws comes out here.
  template <class Work>
  at::Tensor ask(Work work) {
    // With the asking thread's state, such as whether gradients are recorded.
    const at::ThreadLocalState state;
    Task task([&] {
      const at::ThreadLocalStateGuard guard(state);
      return work();
    });
    auto answer = task.get_future();
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
      changed_.notify_one();
    }
    return answer.get();
  }

  HookRunner& runner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  bool finished_ = false;
};

struct Token {
  int64_t hook;
  std::shared_ptr<DeadHooks> dead;
  Token(int64_t hook, std::shared_ptr<DeadHooks> dead) : hook(hook), dead(std::move(dead)) {}
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;
  ~Token() { dead->add(hook); }
};

}  // namespace

at::Tensor HookRunner::on_gradient(int64_t, const at::Tensor&) { return {}; }
at::Tensor HookRunner::on_output(int64_t, const at::Tensor&, const at::Tensor&) { return {}; }

HookRunner& HookRunner::current() {
  const auto* current = static_cast<Current*>(c10::ThreadLocalDebugInfo::get(info_kind()));
  TORCH_CHECK(current != nullptr, "a hook fired in a pass that JavaScript did not begin");
  return *current->runner;
}

HookScope::HookScope(HookRunner* runner) : guard_(info_kind(), std::make_shared<Current>(runner)) {}

void run_with_hooks_here(HookRunner& runner, const std::function<void()>& pass) {
  HookServer server(runner);
  const HookScope scope(&server);
  const at::ThreadLocalState state;
  const auto place = cuda::this_place();
  auto* warnings = c10::WarningUtils::get_warning_handler();
  std::exception_ptr failure;
  std::thread thread([&] {
    try {
      const at::ThreadLocalStateGuard guard(state);
      const c10::WarningUtils::WarningHandlerGuard warns(warnings);
      cuda::take_place(place);
      pass();
    } catch (...) {
      failure = std::current_exception();
    }
    server.finish();
  });
  server.serve();
  thread.join();
  if (failure) std::rethrow_exception(failure);
}

void DeadHooks::add(int64_t hook) {
  const std::lock_guard lock(mutex_);
  hooks_.push_back(hook);
}

std::vector<int64_t> DeadHooks::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(hooks_, {});
}

int64_t add_gradient_hook(const at::Tensor& tensor, int64_t hook, std::shared_ptr<DeadHooks> dead) {
  auto token = std::make_shared<Token>(hook, std::move(dead));
  return tensor.register_hook([token](const at::Tensor& gradient) -> at::Tensor {
    return HookRunner::current().on_gradient(token->hook, gradient);
  });
}

}  // namespace fastopt
