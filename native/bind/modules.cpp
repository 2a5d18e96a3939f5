#include "bind/bind.h"
#include "core/names.h"
#include "glue/convert.h"
#include "glue/js_hooks.h"
#include "nn/layer.h"

namespace fastopt {
namespace {

nn::Option option_of(const Call& call, napi_value value, const std::string& key) {
  napi_valuetype type = napi_undefined;
  check(call.env(), napi_typeof(call.env(), value, &type));
  if (type == napi_boolean) return bool_of(call, value, key.c_str());
  if (type == napi_string) return string_of(call, value, key.c_str());
  if (type == napi_number) {
    double number = 0;
    check(call.env(), napi_get_value_double(call.env(), value, &number));
    return number;
  }
  if (is_array(call, value)) return ints_of(call, value, key.c_str());
  throw Refusal("option '" + key +
                "': expected a number, a boolean, a string or a list of integers, got " +
                describe(call, value));
}

nn::Options options_of(const Call& call, napi_value object) {
  napi_value keys = nullptr;
  check(call.env(), napi_get_property_names(call.env(), object, &keys));
  nn::Options options;
  const size_t count = length_of(call, keys);
  for (size_t i = 0; i < count; ++i) {
    napi_value key = element(call, keys, i);
    napi_value value = nullptr;
    check(call.env(), napi_get_property(call.env(), object, key, &value));
    if (is_nullish(call, value)) continue;
    const auto name = string_of(call, key, "option");
    options.set(name, option_of(call, value, name));
  }
  return options;
}

napi_value create_layer(Call& call) {
  const auto kind = string_of(call, call[0], "createLayer");
  const auto layer = nn::create(kind, options_of(call, call[1]));
  // Drawn on the CPU: one seed gives the same weights on every device.
  const auto& device = call.data()->default_device;
  return wrap_module(call, device ? layer->copy(device) : layer);
}

napi_value forward(Call& call) {
  const auto module = module_of(call, call[0], "forward");
  const auto& input = tensor_of(call, call[1], "forward");
  JsHookRunner runner(call, call[2]);
  const HookScope scope(&runner);
  try {
    return wrap_tensor(call, module->run(input));
  } catch (const c10::Error& error) {
    throw refusal_of(error).of(module->kind() + ".forward", "input: Tensor " + describe(input));
  }
}

napi_value kind(Call& call) { return js_string(call, module_of(call, call[0], "kind")->kind()); }
napi_value repr(Call& call) { return js_string(call, module_of(call, call[0], "repr")->repr()); }

napi_value named(const Call& call, const std::string& name, napi_value value) {
  napi_value pair = js_array(call, 2);
  set_element(call, pair, 0, js_string(call, name));
  set_element(call, pair, 1, value);
  return pair;
}

napi_value children(Call& call) {
  const auto module = module_of(call, call[0], "children");
  const auto& found = module->layers();
  napi_value array = js_array(call, found.size());
  for (size_t i = 0; i < found.size(); ++i) {
    set_element(call, array, i, named(call, found[i].first, wrap_module(call, found[i].second)));
  }
  return array;
}

napi_value tensors(Call& call) {
  const auto module = module_of(call, call[0], "tensors");
  const bool parameters = string_of(call, call[1], "tensors") == "parameters";
  const auto found = parameters ? module->named_parameters(false) : module->named_buffers(false);
  napi_value array = js_array(call, found.size());
  size_t i = 0;
  for (const auto& entry : found) {
    set_element(call, array, i++, named(call, entry.key(), wrap_tensor(call, entry.value())));
  }
  return array;
}

napi_value register_buffer(Call& call) {
  module_of(call, call[0], "registerBuffer")
      ->register_buffer(string_of(call, call[1], "registerBuffer"),
                        tensor_of(call, call[2], "registerBuffer"));
  return call.undefined();
}

napi_value train(Call& call) {
  module_of(call, call[0], "train")->train(bool_of(call, call[1], "train"));
  return call.undefined();
}

napi_value is_training(Call& call) {
  return js_bool(call, module_of(call, call[0], "training")->is_training());
}

napi_value clone(Call& call) {
  return wrap_module(call, module_of(call, call[0], "clone")->copy());
}

napi_value add_hook(Call& call) {
  module_of(call, call[0], "registerForwardHook")
      ->hooks()
      .push_back(int_of(call, call[1], "registerForwardHook"));
  return call.undefined();
}

napi_value remove_hook(Call& call) {
  std::erase(module_of(call, call[0], "registerForwardHook")->hooks(),
             int_of(call, call[1], "registerForwardHook"));
  return call.undefined();
}

napi_value dispose(Call& call) {
  dispose_module(call, call[0]);
  return call.undefined();
}

}  // namespace

const Functions& module_functions() {
  static const Functions functions{
      {"createLayer", guarded<create_layer>},
      {"moduleForward", guarded<forward>},
      {"moduleKind", guarded<kind>},
      {"moduleRepr", guarded<repr>},
      {"moduleChildren", guarded<children>},
      {"moduleTensors", guarded<tensors>},
      {"moduleRegisterBuffer", guarded<register_buffer>},
      {"moduleTrain", guarded<train>},
      {"moduleIsTraining", guarded<is_training>},
      {"moduleClone", guarded<clone>},
      {"moduleAddHook", guarded<add_hook>},
      {"moduleRemoveHook", guarded<remove_hook>},
      {"moduleDispose", guarded<dispose>},
  };
  return functions;
}

}  // namespace fastopt
