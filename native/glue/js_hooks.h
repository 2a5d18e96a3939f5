#pragma once
#include "core/hooks.h"
#include "glue/convert.h"

namespace fastopt {

// Runs hooks by calling the JavaScript function that the pass was started with.
class JsHookRunner final : public HookRunner {
 public:
  JsHookRunner(const Call& call, napi_value function) : call_(call), function_(function) {}

  at::Tensor on_gradient(int64_t hook, const at::Tensor& gradient) override {
    const HandleScope scope(call_.env());
    napi_value arguments[] = {js_number(call_, static_cast<double>(hook)),
                              wrap_tensor(call_, gradient)};
    return run(2, arguments);
  }

  at::Tensor on_output(int64_t hook, const at::Tensor& input, const at::Tensor& output) override {
    const HandleScope scope(call_.env());
    napi_value arguments[] = {js_number(call_, static_cast<double>(hook)),
                              wrap_tensor(call_, input), wrap_tensor(call_, output)};
    return run(3, arguments);
  }

 private:
  struct HandleScope {
    explicit HandleScope(napi_env env) : env(env) {
      check(env, napi_open_handle_scope(env, &scope));
    }
    ~HandleScope() { napi_close_handle_scope(env, scope); }
    napi_env env;
    napi_handle_scope scope = nullptr;
  };

  at::Tensor run(size_t count, const napi_value* arguments) {
    napi_value result = nullptr;
    check(call_.env(),
          napi_call_function(call_.env(), call_.undefined(), function_, count, arguments, &result));
    return optional_tensor_of(call_, result, "hook");
  }

  const Call& call_;
  napi_value function_;
};

}  // namespace fastopt
