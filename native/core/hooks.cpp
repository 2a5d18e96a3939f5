#include "core/hooks.h"

#include <ATen/ThreadLocalState.h>
#include <c10/util/Exception.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
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

// Work that threads leave for the one that serves it.
class Errands {
 public:
  using Work = std::function<void()>;

  void leave(Work work) {
    const std::lock_guard lock(mutex_);
    left_.push_back(std::move(work));
    changed_.notify_one();
  }
  // Does what is left here until nothing more will be.
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return finished_ || !left_.empty(); });
      if (left_.empty()) return;
      const Work work = std::move(left_.front());
      left_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }
  void finish() {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> left_;
  bool finished_ = false;
};

// The thread that waits for the hook which this one runs at the moment.
thread_local Errands* waiting = nullptr;

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

  void serve() { errands_.serve(); }
  void finish() { errands_.finish(); }

 private:
  // What the hook throws comes out here.
  template <class Hook>
  at::Tensor ask(Hook hook) {
    // With the asking thread's state, such as whether gradients are recorded.
    const at::ThreadLocalState state;
    const auto meanwhile = std::make_shared<Errands>();
    at::Tensor answer;
    std::exception_ptr failure;
    errands_.leave([&, meanwhile] {
      auto* const before = std::exchange(waiting, meanwhile.get());
      try {
        const at::ThreadLocalStateGuard guard(state);
        answer = hook();
      } catch (...) {
        failure = std::current_exception();
      }
      waiting = before;
      meanwhile->finish();
    });
    meanwhile->serve();
    if (failure) std::rethrow_exception(failure);
    return answer;
  }

  HookRunner& runner_;
  Errands errands_;
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
  const auto server = std::make_shared<HookServer>(runner);
  const HookScope scope(server.get());
  const at::ThreadLocalState state;
  const auto place = cuda::this_place();
  auto* warnings = c10::WarningUtils::get_warning_handler();
  std::exception_ptr failure;
  const auto run = [&, server] {
    const auto before = cuda::this_place();
    try {
      const at::ThreadLocalStateGuard guard(state);
      const c10::WarningUtils::WarningHandlerGuard warns(warnings);
      cuda::take_place(place);
      pass();
    } catch (...) {
      failure = std::current_exception();
    }
    cuda::take_place(before);
    server->finish();
  };
  // In a hook, the thread that waits for it runs the pass: it may be the one where all of a GPU's
  // work is done.
  std::thread thread;
  if (waiting) {
    waiting->leave(run);
  } else {
    thread = std::thread(run);
  }
  server->serve();
  if (thread.joinable()) thread.join();
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
