#include "core/hooks.h"

#include <utility>

namespace fastopt {
namespace {

thread_local HookRunner* current_runner = nullptr;

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
  TORCH_CHECK(current_runner != nullptr,
              "a hook fired on a thread that JavaScript did not call; hooks run on the CPU only");
  return *current_runner;
}

HookScope::HookScope(HookRunner* runner) : outer_(std::exchange(current_runner, runner)) {}
HookScope::~HookScope() { current_runner = outer_; }

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
