#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>

#include "bind/bind.h"
#include "core/names.h"
#include "glue/convert.h"
#include "glue/js_hooks.h"

namespace fastopt {
namespace {

napi_value grad(Call& call) {
  const auto& gradient = tensor_of(call, call[0], "grad").grad();
  if (gradient.defined() && !is_nullish(call, call[1]) &&
      gradient.is_same(tensor_of(call, call[1], "grad"))) {
    return call.undefined();
  }
  return wrap_tensor(call, gradient);
}

// libtorch itself accepts whatever it is given here, and fails much later. While an optimizer's
// callbacks run, a weight of half precision is float32, and its gradient is not.
void check_gradient(const at::Tensor& tensor, const at::Tensor& gradient) {
  const auto type = gradient.scalar_type();
  const auto& old = tensor.grad();
  const bool fits = type == tensor.scalar_type() || (old.defined() && type == old.scalar_type());
  if (!fits || gradient.sizes() != tensor.sizes() || gradient.device() != tensor.device()) {
    throw Refusal("grad: expected a gradient like the Tensor " + describe(tensor) + ", got " +
                  describe(gradient));
  }
  if (gradient.is_same(tensor)) throw Refusal("grad: a Tensor can't be its own gradient");
}

napi_value set_grad(Call& call) {
  const auto& tensor = tensor_of(call, call[0], "grad");
  const auto gradient = optional_tensor_of(call, call[1], "grad");
  if (gradient.defined()) check_gradient(tensor, gradient);
  tensor.mutable_grad() = gradient;
  return call.undefined();
}

napi_value has_grad(Call& call) {
  return js_bool(call, tensor_of(call, call[0], "hasGrad").grad().defined());
}

napi_value retain_grad(Call& call) {
  tensor_of(call, call[0], "retainGrad").retain_grad();
  return call.undefined();
}

napi_value null_or_node(const Call& call, const NodePtr& node) {
  return node ? wrap_node(call, node) : wrap_tensor(call, {});
}

napi_value grad_fn(Call& call) {
  return null_or_node(call, tensor_of(call, call[0], "gradFn").grad_fn());
}

napi_value node_name(Call& call) {
  return js_string(call, node_of(call, call[0], "gradFn")->name());
}

napi_value next_nodes(Call& call) {
  const auto node = node_of(call, call[0], "gradFn");
  const auto& edges = node->next_edges();
  napi_value array = js_array(call, edges.size());
  for (size_t i = 0; i < edges.size(); ++i) {
    set_element(call, array, i, null_or_node(call, edges[i].function));
  }
  return array;
}

napi_value new_hook(Call& call) {
  return js_number(call, static_cast<double>(++call.data()->last_hook));
}

napi_value add_grad_hook(Call& call) {
  const auto& tensor = tensor_of(call, call[0], "registerHook");
  const auto hook = int_of(call, call[1], "registerHook");
  return js_number(call,
                   static_cast<double>(add_gradient_hook(tensor, hook, call.data()->dead_hooks)));
}

napi_value remove_grad_hook(Call& call) {
  tensor_of(call, call[0], "registerHook")
      .remove_hook(static_cast<unsigned>(int_of(call, call[1], "registerHook")));
  return call.undefined();
}

napi_value take_dead_hooks(Call& call) {
  const auto hooks = call.data()->dead_hooks->take();
  napi_value array = js_array(call, hooks.size());
  for (size_t i = 0; i < hooks.size(); ++i) {
    set_element(call, array, i, js_number(call, static_cast<double>(hooks[i])));
  }
  return array;
}

std::string describe_all(const std::vector<at::Tensor>& tensors) {
  std::string text;
  for (const auto& tensor : tensors) text += (text.empty() ? "" : ", ") + describe(tensor);
  return "Tensor " + text;
}

// libtorch sums a gradient that is larger than its tensor; Python refuses it, and so do we.
void check_gradients(const std::vector<at::Tensor>& outputs,
                     const std::vector<at::Tensor>& gradients, const char* where) {
  if (outputs.size() != gradients.size()) {
    throw Refusal(std::string(where) + ": expected one gradient for each of " +
                  std::to_string(outputs.size()) + " outputs, got " +
                  std::to_string(gradients.size()));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (gradients[i].defined() && gradients[i].sizes() != outputs[i].sizes()) {
      throw Refusal(std::string(where) + ": expected a gradient of the shape of the Tensor " +
                    describe(outputs[i]) + ", got " + describe(gradients[i]));
    }
  }
}

// `elsewhere`: what the graph has on a GPU may fire hooks.
void run_pass(JsHookRunner& runner, bool elsewhere, const std::function<void()>& pass) {
  if (elsewhere) return run_with_hooks_here(runner, pass);
  const HookScope scope(&runner);
  pass();
}

napi_value backward(Call& call) {
  const auto roots = tensors_of(call, call[0], "backward");
  const auto gradients = tensors_of(call, call[1], "backward");
  const bool retain = bool_of(call, call[2], "backward");
  const bool create = bool_of(call, call[3], "backward");
  const auto inputs = tensors_of(call, call[4], "backward");
  check_gradients(roots, gradients, "backward");
  JsHookRunner runner(call, call[5]);
  try {
    run_pass(runner, bool_of(call, call[6], "backward"),
             [&] { torch::autograd::backward(roots, gradients, retain, create, inputs); });
  } catch (const c10::Error& error) {
    throw refusal_of(error).of("backward", describe_all(roots));
  }
  return call.undefined();
}

napi_value gradients(Call& call) {
  const auto outputs = tensors_of(call, call[0], "grad");
  const auto inputs = tensors_of(call, call[1], "grad");
  const auto output_gradients = tensors_of(call, call[2], "grad");
  const bool retain = bool_of(call, call[3], "grad");
  const bool create = bool_of(call, call[4], "grad");
  const bool unused = bool_of(call, call[5], "grad");
  check_gradients(outputs, output_gradients, "grad");
  JsHookRunner runner(call, call[6]);
  std::vector<at::Tensor> found;
  try {
    run_pass(runner, bool_of(call, call[7], "grad"), [&] {
      found = torch::autograd::grad(outputs, inputs, output_gradients, retain, create, unused);
    });
  } catch (const c10::Error& error) {
    throw refusal_of(error).of("grad", describe_all(outputs) + " by " + describe_all(inputs));
  }
  napi_value array = js_array(call, found.size());
  for (size_t i = 0; i < found.size(); ++i)
    set_element(call, array, i, wrap_tensor(call, found[i]));
  return array;
}

napi_value set_grad_enabled(Call& call) {
  const bool before = at::GradMode::is_enabled();
  at::GradMode::set_enabled(bool_of(call, call[0], "setGradEnabled"));
  return js_bool(call, before);
}

napi_value is_grad_enabled(Call& call) { return js_bool(call, at::GradMode::is_enabled()); }

}  // namespace

const Functions& autograd_functions() {
  static const Functions functions{
      {"grad", guarded<grad>},
      {"setGrad", guarded<set_grad>},
      {"hasGrad", guarded<has_grad>},
      {"retainGrad", guarded<retain_grad>},
      {"gradFn", guarded<grad_fn>},
      {"nodeName", guarded<node_name>},
      {"nextNodes", guarded<next_nodes>},
      {"newHook", guarded<new_hook>},
      {"addGradHook", guarded<add_grad_hook>},
      {"removeGradHook", guarded<remove_grad_hook>},
      {"takeDeadHooks", guarded<take_dead_hooks>},
      {"backward", guarded<backward>},
      {"gradients", guarded<gradients>},
      {"setGradEnabled", guarded<set_grad_enabled>},
      {"isGradEnabled", guarded<is_grad_enabled>},
  };
  return functions;
}

}  // namespace fastopt
