#include "bind/bind.h"
#include "glue/convert.h"
#include "optim/wrapped.h"

namespace fastopt {
namespace {

constexpr const char* kWhere = "OptimWrapper";

double double_of(const Call& call, napi_value value) {
  double number = 0;
  check(call.env(), napi_get_value_double(call.env(), value, &number));
  return number;
}

size_t index_of(const Call& call, napi_value value) {
  return static_cast<size_t>(int_of(call, value, kWhere));
}

// [name, value] pairs.
template <class Visit>
void for_each_pair(const Call& call, napi_value pairs, Visit visit) {
  const size_t count = length_of(call, pairs);
  for (size_t i = 0; i < count; ++i) {
    napi_value pair = element(call, pairs, i);
    visit(string_of(call, element(call, pair, 0), kWhere), element(call, pair, 1));
  }
}

napi_value js_pair(const Call& call, const std::string& name, napi_value value) {
  napi_value pair = js_array(call, 2);
  set_element(call, pair, 0, js_string(call, name));
  set_element(call, pair, 1, value);
  return pair;
}

napi_value create_optimizer(Call& call) {
  optim::Settings settings;
  for_each_pair(call, call[2], [&](const std::string& name, napi_value value) {
    settings[name] = double_of(call, value);
  });
  return wrap_optimizer(call, optim::create(string_of(call, call[0], kWhere),
                                            tensors_of(call, call[1], kWhere), settings));
}

napi_value add_params(Call& call) {
  optimizer_of(call, call[0], kWhere)->add(tensors_of(call, call[1], kWhere));
  return call.undefined();
}

napi_value settings(Call& call) {
  const auto found = optimizer_of(call, call[0], kWhere)->settings();
  napi_value array = js_array(call, found.size());
  for (size_t i = 0; i < found.size(); ++i) {
    set_element(call, array, i, js_pair(call, found[i].first, js_number(call, found[i].second)));
  }
  return array;
}

template <class T>
std::span<const T> span_of(const Call& call, napi_value value, napi_typedarray_type type) {
  const auto view = typed_array_of(call, value, kWhere);
  if (view.type != type) throw Refusal("OptimWrapper: expected a TypedArray of another type");
  return {static_cast<const T*>(view.data), view.length};
}

napi_value step(Call& call) {
  const auto optimizer = optimizer_of(call, call[0], kWhere);  // a closure may dispose of it
  const auto groups = span_of<int32_t>(call, call[1], napi_int32_array);
  const auto values = span_of<double>(call, call[2], napi_float64_array);
  optim::Closure closure;
  if (!is_nullish(call, call[3])) {
    closure = [&call] {
      napi_value loss = nullptr;
      check(call.env(),
            napi_call_function(call.env(), call.undefined(), call[3], 0, nullptr, &loss));
      return tensor_of(call, loss, "closure");
    };
  }
  return wrap_tensor(call, optimizer->step(groups, values, closure));
}

struct ToJavaScript {
  const Call& call;
  napi_value operator()(double value) const { return js_number(call, value); }
  napi_value operator()(const at::Tensor& value) const { return wrap_tensor(call, value); }
  napi_value operator()(const std::vector<at::Tensor>& values) const {
    napi_value array = js_array(call, values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      set_element(call, array, i, wrap_tensor(call, values[i]));
    }
    return array;
  }
};

napi_value state(Call& call) {
  const auto found = optimizer_of(call, call[0], kWhere)->state(index_of(call, call[1]));
  napi_value array = js_array(call, found.size());
  for (size_t i = 0; i < found.size(); ++i) {
    set_element(call, array, i,
                js_pair(call, found[i].first, std::visit(ToJavaScript{call}, found[i].second)));
  }
  return array;
}

optim::StateValue state_value_of(const Call& call, napi_value value) {
  napi_valuetype type = napi_undefined;
  check(call.env(), napi_typeof(call.env(), value, &type));
  if (type == napi_number) return double_of(call, value);
  if (is_array(call, value)) {
    std::vector<at::Tensor> tensors(length_of(call, value));
    for (size_t i = 0; i < tensors.size(); ++i) {
      tensors[i] = tensor_of(call, element(call, value, i), kWhere);
    }
    return tensors;
  }
  return tensor_of(call, value, kWhere);
}

napi_value set_state(Call& call) {
  optim::State state;
  for_each_pair(call, call[2], [&](const std::string& name, napi_value value) {
    state.emplace_back(name, state_value_of(call, value));
  });
  optimizer_of(call, call[0], kWhere)->set_state(index_of(call, call[1]), state);
  return call.undefined();
}

napi_value clear_state(Call& call) {
  optimizer_of(call, call[0], kWhere)->clear_state();
  return call.undefined();
}

// 0 without a gradient, 1 with a dense one, 2 with another.
napi_value gradient_kind(Call& call) {
  const auto& gradient = tensor_of(call, call[0], "step").grad();
  if (!gradient.defined()) return js_number(call, 0);
  return js_number(call, gradient.layout() == at::kStrided ? 1 : 2);
}

napi_value dispose(Call& call) {
  dispose_optimizer(call, call[0]);
  return call.undefined();
}

}  // namespace

const Functions& optimizer_functions() {
  static const Functions functions{
      {"createOptimizer", guarded<create_optimizer>},
      {"optimizerAddParams", guarded<add_params>},
      {"optimizerSettings", guarded<settings>},
      {"optimizerStep", guarded<step>},
      {"optimizerState", guarded<state>},
      {"optimizerSetState", guarded<set_state>},
      {"optimizerClearState", guarded<clear_state>},
      {"optimizerDispose", guarded<dispose>},
      {"gradientKind", guarded<gradient_kind>},
  };
  return functions;
}

}  // namespace fastopt
