#include <ATen/ops/empty.h>
#include <c10/util/accumulate.h>

#include <cstring>

#include "bind/bind.h"
#include "core/names.h"
#include "glue/convert.h"

namespace fastopt {
namespace {

at::ScalarType dtype_of(const std::string& name) {
  const auto type = parse_dtype(name);
  if (!type) throw Refusal("expected a dtype such as 'float32' or 'int64', got '" + name + "'");
  return *type;
}

std::optional<at::ScalarType> element_type(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array:
      return at::kChar;
    case napi_uint8_array:
    case napi_uint8_clamped_array:
      return at::kByte;
    case napi_int16_array:
      return at::kShort;
    case napi_uint16_array:
      return at::kUInt16;
    case napi_int32_array:
      return at::kInt;
    case napi_uint32_array:
      return at::kUInt32;
    case napi_float32_array:
      return at::kFloat;
    case napi_float64_array:
      return at::kDouble;
    case napi_bigint64_array:
      return at::kLong;
    case napi_biguint64_array:
      return at::kUInt64;
    default:
      return std::nullopt;
  }
}

// The type whose elements a TypedArray holds for a tensor's: bool as uint8, half types as float32.
at::ScalarType storage_type(at::ScalarType type) {
  if (type == at::kBool) return at::kByte;
  if (type == at::kHalf || type == at::kBFloat16) return at::kFloat;
  return type;
}

at::ScalarType checked_element_type(const ArrayView& view, const char* where) {
  const auto type = element_type(view.type);
  if (!type) throw Refusal(std::string(where) + ": this kind of TypedArray is not supported");
  return *type;
}

napi_value from_data(Call& call) {
  const auto view = typed_array_of(call, call[0], "tensor");
  const auto shape = ints_of(call, call[1], "tensor");
  const auto dtype = dtype_of(string_of(call, call[2], "tensor"));
  const auto device = is_nullish(call, call[3]) ? call.data()->default_device.value_or(at::kCPU)
                                                : device_of(string_of(call, call[3], "tensor"));
  const auto source = checked_element_type(view, "tensor");
  auto tensor = at::empty(shape, source);
  if (static_cast<size_t>(tensor.numel()) != view.length) {
    throw Refusal("tensor: expected " + std::to_string(tensor.numel()) +
                  " values for its shape, got " + std::to_string(view.length));
  }
  if (view.length > 0) std::memcpy(tensor.mutable_data_ptr(), view.data, tensor.nbytes());
  return wrap_tensor(call, tensor.to(device, dtype));
}

napi_value copy_out(Call& call) {
  const auto& tensor = tensor_of(call, call[0], "data");
  const auto view = typed_array_of(call, call[1], "data");
  const auto type = storage_type(tensor.scalar_type());
  if (checked_element_type(view, "data") != type ||
      view.length != static_cast<size_t>(tensor.numel())) {
    throw Refusal("data: the TypedArray does not fit a Tensor " + describe(tensor));
  }
  const auto plain = tensor.detach().to(at::kCPU, type).contiguous();
  if (view.length > 0) std::memcpy(view.data, plain.const_data_ptr(), plain.nbytes());
  return call.undefined();
}

napi_value item(Call& call) {
  const auto& tensor = tensor_of(call, call[0], "item");
  if (tensor.numel() != 1) {
    throw Refusal("item: expected a Tensor of one element, got " + describe(tensor) +
                  "; use toArray() or data()");
  }
  const auto value = tensor.item();
  if (value.isBoolean()) return js_bool(call, value.toBool());
  if (value.isComplex())
    throw Refusal("item: complex values have no JavaScript number; use viewAsReal()");
  if (value.isFloatingPoint()) return js_number(call, value.toDouble());
  return js_integer(call, value.toLong());
}

napi_value write_ints(Call& call, at::IntArrayRef values) {
  const auto view = typed_array_of(call, call[1], "sizes");
  if (view.type != napi_float64_array || view.length < values.size()) {
    throw Refusal("sizes: expected a Float64Array of at least " + std::to_string(values.size()));
  }
  auto* out = static_cast<double*>(view.data);
  for (size_t i = 0; i < values.size(); ++i) out[i] = static_cast<double>(values[i]);
  return js_number(call, static_cast<double>(values.size()));
}

napi_value sizes(Call& call) { return write_ints(call, tensor_of(call, call[0], "shape").sizes()); }
napi_value strides(Call& call) {
  return write_ints(call, tensor_of(call, call[0], "strides").strides());
}
napi_value dtype(Call& call) {
  return js_string(call, dtype_name(tensor_of(call, call[0], "dtype").scalar_type()));
}
napi_value device(Call& call) {
  return js_string(call, tensor_of(call, call[0], "device").device().str());
}
napi_value is_contiguous(Call& call) {
  return js_bool(call, tensor_of(call, call[0], "isContiguous").is_contiguous());
}
napi_value requires_grad(Call& call) {
  return js_bool(call, tensor_of(call, call[0], "requiresGrad").requires_grad());
}
napi_value set_requires_grad(Call& call) {
  const auto& tensor = tensor_of(call, call[0], "requiresGrad");
  const bool on = bool_of(call, call[1], "requiresGrad");
  if (!on && !tensor.is_leaf()) {
    throw Refusal(
        "requiresGrad: expected a leaf to turn it off, got the result of an operation; use "
        "detach()");
  }
  tensor.set_requires_grad(on);
  return call.undefined();
}
napi_value is_leaf(Call& call) {
  return js_bool(call, tensor_of(call, call[0], "isLeaf").is_leaf());
}
napi_value version(Call& call) {
  return js_number(call, static_cast<double>(tensor_of(call, call[0], "version")._version()));
}
napi_value set_data(Call& call) {
  tensor_of(call, call[0], "setData").set_data(tensor_of(call, call[1], "setData"));
  return call.undefined();
}
napi_value same_tensor(Call& call) {
  return js_bool(
      call, tensor_of(call, call[0], "sameTensor").is_same(tensor_of(call, call[1], "sameTensor")));
}
napi_value dispose(Call& call) {
  dispose_tensor(call, call[0]);
  return call.undefined();
}

}  // namespace

const Functions& tensor_functions() {
  static const Functions functions{
      {"fromData", guarded<from_data>},
      {"copyOut", guarded<copy_out>},
      {"item", guarded<item>},
      {"sizes", guarded<sizes>},
      {"strides", guarded<strides>},
      {"dtype", guarded<dtype>},
      {"device", guarded<device>},
      {"isContiguous", guarded<is_contiguous>},
      {"requiresGrad", guarded<requires_grad>},
      {"setRequiresGrad", guarded<set_requires_grad>},
      {"isLeaf", guarded<is_leaf>},
      {"version", guarded<version>},
      {"setData", guarded<set_data>},
      {"sameTensor", guarded<same_tensor>},
      {"dispose", guarded<dispose>},
  };
  return functions;
}

}  // namespace fastopt
