#include <ATen/core/stack.h>

#include <sstream>

#include "bind/bind.h"
#include "core/names.h"
#include "glue/convert.h"

namespace fastopt {
namespace {

napi_value js_strings(const Call& call, const std::vector<std::string>& texts) {
  napi_value array = js_array(call, texts.size());
  for (size_t i = 0; i < texts.size(); ++i) set_element(call, array, i, js_string(call, texts[i]));
  return array;
}

napi_value schemas(Call& call) { return js_strings(call, aten_schemas()); }

napi_value overloads(Call& call) {
  return js_strings(call, overload_schemas(string_of(call, call[0], "overloads")));
}

napi_value schema(Call& call) {
  const auto handle =
      find_operator(string_of(call, call[0], "schema"), string_of(call, call[1], "schema"));
  if (!handle) return call.undefined();
  std::ostringstream text;
  text << handle->schema();
  return js_string(call, text.str());
}

napi_value find_op(Call& call) {
  const auto name = string_of(call, call[0], "findOp");
  const auto overload = string_of(call, call[1], "findOp");
  const auto handle = find_operator(name, overload);
  if (!handle) {
    throw Refusal("this libtorch has no operator " + name + "." + overload,
                  "ERR_TORCH_UNSUPPORTED_OPERATOR");
  }
  std::vector<std::string> arguments(length_of(call, call[2]));
  for (size_t i = 0; i < arguments.size(); ++i) {
    arguments[i] = string_of(call, element(call, call[2], i), "findOp");
  }
  try {
    return js_number(call, static_cast<double>(call.data()->ops.add(*handle, arguments)));
  } catch (const c10::Error& error) {
    throw Refusal(error.what_without_backtrace(), "ERR_TORCH_UNSUPPORTED_OPERATOR");
  }
}

const Op& op_of(const Call& call, const char* where) {
  const auto id = int_of(call, call[0], where);
  const auto* op = call.data()->ops.get(static_cast<size_t>(id));
  if (op != nullptr) return *op;
  throw Refusal(std::string(where) + ": no operator has the number " + std::to_string(id));
}

napi_value op_writes(Call& call) { return js_bool(call, op_of(call, "opWrites").writes); }

napi_value given(const Call& call, int source) {
  return source < 0 ? call.undefined() : call[static_cast<size_t>(source) + 1];
}

bool is_undefined(const Call& call, napi_value value) {
  napi_valuetype type = napi_undefined;
  check(call.env(), napi_typeof(call.env(), value, &type));
  return type == napi_undefined;
}

torch::jit::Stack make_stack(const Call& call, const Op& op) {
  torch::jit::Stack stack;
  const auto& arguments = op.schema().arguments();
  const auto& default_device = call.data()->default_device;
  stack.reserve(arguments.size());
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto& argument = arguments[i];
    napi_value value = given(call, op.source[i]);
    if (default_device && static_cast<int>(i) == op.factory_device && is_nullish(call, value)) {
      stack.push_back(*default_device);
    } else if (is_undefined(call, value) && argument.default_value()) {
      stack.push_back(*argument.default_value());
    } else {
      stack.push_back(argument_of(call, value, argument));
    }
  }
  return stack;
}

// "self float32[2, 3], other 'abc'"
std::string received(const Call& call, const Op& op) {
  std::string text;
  const auto& arguments = op.schema().arguments();
  for (size_t i = 0; i < arguments.size(); ++i) {
    napi_value value = given(call, op.source[i]);
    if (is_undefined(call, value)) continue;
    if (!text.empty()) text += ", ";
    text += arguments[i].name() + ": ";
    if (!is_array(call, value)) {
      text += describe(call, value);
      continue;
    }
    text += "[";
    const size_t length = length_of(call, value);
    for (size_t j = 0; j < length && j < 8; ++j) {
      text += (j > 0 ? ", " : "") + describe(call, element(call, value, j));
    }
    text += length > 8 ? ", ...]" : "]";
  }
  return text;
}

napi_value results(const Call& call, const Op& op, const torch::jit::Stack& stack) {
  const auto& returns = op.schema().returns();
  const auto one = [&](size_t i) {
    return op.returned_argument[i] >= 0 ? call.undefined()
                                        : result_of(call, stack[i], returns[i].real_type());
  };
  if (returns.empty()) return call.undefined();
  if (returns.size() == 1) return one(0);
  napi_value array = js_array(call, returns.size());
  for (size_t i = 0; i < returns.size(); ++i) set_element(call, array, i, one(i));
  return array;
}

napi_value call_op(Call& call) {
  const Op& op = op_of(call, "callOp");
  try {
    auto stack = make_stack(call, op);
    op.handle.callBoxed(stack);
    return results(call, op, stack);
  } catch (const Refusal& refusal) {
    throw refusal.of(op.name, received(call, op));
  } catch (const c10::Error& error) {
    throw refusal_of(error).of(op.name, received(call, op));
  }
}

}  // namespace

const Functions& op_functions() {
  static const Functions functions{
      {"schemas", guarded<schemas>}, {"overloads", guarded<overloads>},
      {"schema", guarded<schema>},   {"findOp", guarded<find_op>},
      {"callOp", guarded<call_op>},  {"opWrites", guarded<op_writes>},
  };
  return functions;
}

}  // namespace fastopt
