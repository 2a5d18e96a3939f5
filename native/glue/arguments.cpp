#include <ATen/core/jit_type.h>

#include <algorithm>

#include "core/names.h"
#include "glue/refuse.h"

namespace fastopt {
namespace {

using Kind = c10::TypeKind;

std::optional<c10::IValue> memory_format_of(const std::string& name) {
  if (name == "contiguous") return static_cast<int64_t>(at::MemoryFormat::Contiguous);
  if (name == "preserve") return static_cast<int64_t>(at::MemoryFormat::Preserve);
  if (name == "channels_last") return static_cast<int64_t>(at::MemoryFormat::ChannelsLast);
  if (name == "channels_last_3d") return static_cast<int64_t>(at::MemoryFormat::ChannelsLast3d);
  return std::nullopt;
}

std::optional<c10::IValue> layout_of(const std::string& name) {
  if (name == "strided") return static_cast<int64_t>(at::kStrided);
  if (name == "sparse_coo") return static_cast<int64_t>(at::kSparse);
  return std::nullopt;
}

template <class T>
std::optional<c10::IValue> as_ivalue(std::optional<T> value) {
  if (!value) return std::nullopt;
  return c10::IValue(std::move(*value));
}

std::optional<c10::IValue> try_name(const Call& call, napi_value value, Kind kind) {
  const auto text = try_string(call, value);
  if (!text) return std::nullopt;
  switch (kind) {
    case Kind::ScalarTypeType: {
      const auto type = parse_dtype(*text);
      if (!type) return std::nullopt;
      return c10::IValue(static_cast<int64_t>(*type));
    }
    case Kind::LayoutType:
      return layout_of(*text);
    case Kind::MemoryFormatType:
      return memory_format_of(*text);
    case Kind::DeviceObjType:
      return c10::IValue(device_of(*text));
    default:
      return c10::IValue(*text);
  }
}

// A value of a type that is neither a list nor optional; nothing where the value is of another
// kind.
std::optional<c10::IValue> try_plain(const Call& call, napi_value value, const c10::Type& type,
                                     Where where) {
  switch (type.kind()) {
    case Kind::TensorType: {
      const auto* tensor = try_tensor(call, value, where);
      if (tensor == nullptr) return std::nullopt;
      return c10::IValue(*tensor);
    }
    case Kind::IntType:
    case Kind::SymIntType:
      return as_ivalue(try_int(call, value));
    case Kind::FloatType:
    case Kind::SymFloatType:
      return as_ivalue(try_double(call, value));
    case Kind::BoolType:
    case Kind::SymBoolType:
      return as_ivalue(try_bool(call, value));
    case Kind::NumberType:
      return as_ivalue(try_scalar(call, value));
    case Kind::StringType:
    case Kind::ScalarTypeType:
    case Kind::LayoutType:
    case Kind::MemoryFormatType:
    case Kind::DeviceObjType:
      return try_name(call, value, type.kind());
    case Kind::GeneratorType: {
      const auto* generator = try_generator(call, value);
      if (generator == nullptr) return std::nullopt;
      return c10::IValue(*generator);
    }
    default:
      throw Refusal(
          where.text() + ": arguments of type " + type.str() + " can't be passed from JavaScript",
          "ERR_TORCH_UNSUPPORTED_OPERATOR");
  }
}

c10::IValue plain_of(const Call& call, napi_value value, const c10::Type& type, Where where) {
  auto result = try_plain(call, value, type, where);
  if (!result) refuse(call, value, where, type.str());
  return std::move(*result);
}

template <class T, class Convert>
c10::IValue list_of(const Call& call, napi_value value, size_t length, Convert convert) {
  c10::List<T> list;
  list.reserve(length);
  for (size_t i = 0; i < length; ++i) list.push_back(convert(element(call, value, i)));
  return list;
}

c10::IValue list_argument(const Call& call, napi_value value, const c10::TypePtr& element_type,
                          Where where) {
  const size_t length = length_of(call, value);
  const auto item = [&](napi_value v) { return plain_of(call, v, *element_type, where); };
  switch (element_type->kind()) {
    case Kind::TensorType:
      return list_of<at::Tensor>(call, value, length,
                                 [&](napi_value v) { return item(v).toTensor(); });
    case Kind::IntType:
    case Kind::SymIntType:
      return list_of<int64_t>(call, value, length, [&](napi_value v) { return item(v).toInt(); });
    case Kind::FloatType:
      return list_of<double>(call, value, length, [&](napi_value v) { return item(v).toDouble(); });
    case Kind::BoolType:
      return list_of<bool>(call, value, length, [&](napi_value v) { return item(v).toBool(); });
    case Kind::StringType:
      return list_of<std::string>(call, value, length,
                                  [&](napi_value v) { return std::string(item(v).toStringRef()); });
    case Kind::OptionalType: {
      const auto inner = element_type->expectRef<c10::OptionalType>().getElementType();
      if (inner->kind() == Kind::TensorType) {
        return list_of<std::optional<at::Tensor>>(
            call, value, length, [&](napi_value v) -> std::optional<at::Tensor> {
              if (is_nullish(call, v)) return std::nullopt;
              return plain_of(call, v, *inner, where).toTensor();
            });
      }
      break;
    }
    case Kind::NumberType: {
      c10::impl::GenericList list(element_type);
      for (size_t i = 0; i < length; ++i) list.push_back(item(element(call, value, i)));
      return list;
    }
    default:
      break;
  }
  throw Refusal(
      where.text() + ": lists of " + element_type->str() + " can't be passed from JavaScript",
      "ERR_TORCH_UNSUPPORTED_OPERATOR");
}

// `int[2]` also takes one number, for both.
std::optional<c10::IValue> repeated(const Call& call, napi_value value, const c10::Type& element,
                                    int32_t times) {
  if (element.kind() == Kind::IntType || element.kind() == Kind::SymIntType) {
    const auto integer = try_int(call, value);
    if (integer) return c10::List<int64_t>(std::vector<int64_t>(times, *integer));
  } else if (element.kind() == Kind::FloatType) {
    const auto number = try_double(call, value);
    if (number) return c10::List<double>(std::vector<double>(times, *number));
  }
  return std::nullopt;
}

}  // namespace

c10::IValue argument_of(const Call& call, napi_value value, const c10::Argument& argument) {
  const Where where(argument);
  c10::TypePtr type = argument.real_type();
  if (type->kind() == Kind::OptionalType) {
    if (is_nullish(call, value)) return {};
    type = type->expectRef<c10::OptionalType>().getElementType();
  }
  if (type->kind() != Kind::ListType) {
    auto result = plain_of(call, value, *type, where);
    // Only a GPU's driver pins memory.
    if (argument.name() == "pin_memory" && result.isBool() && result.toBool()) device_of("cuda");
    return result;
  }
  const auto element_type = type->expectRef<c10::ListType>().getElementType();
  if (is_array(call, value)) {
    auto list = list_argument(call, value, element_type, where);
    // libtorch takes for granted that one of them is there.
    if (argument.name() == "indices" && list.isOptionalTensorList()) {
      const auto indices = list.toOptionalTensorVector();
      if (std::none_of(indices.begin(), indices.end(), [](const auto& each) { return each; }))
        refuse(call, value, where, "at least one tensor");
    }
    return list;
  }
  if (auto list = repeated(call, value, *element_type, argument.N().value_or(1))) return *list;
  refuse(call, value, where, type->str());
}

napi_value result_of(const Call& call, const c10::IValue& value, const c10::TypePtr& type) {
  if (value.isTensor()) return wrap_tensor(call, value.toTensor());
  if (value.isNone()) return wrap_tensor(call, {});
  if (value.isInt()) {
    if (type->kind() == Kind::ScalarTypeType) {
      return js_string(call, dtype_name(static_cast<at::ScalarType>(value.toInt())));
    }
    return js_integer(call, value.toInt());
  }
  if (value.isDouble()) return js_number(call, value.toDouble());
  if (value.isBool()) return js_bool(call, value.toBool());
  if (value.isString()) return js_string(call, value.toStringRef());
  if (value.isDevice()) return js_string(call, value.toDevice().str());
  if (value.isList()) {
    const auto list = value.toListRef();
    napi_value array = js_array(call, list.size());
    for (size_t i = 0; i < list.size(); ++i) {
      set_element(call, array, i, result_of(call, list[i], type));
    }
    return array;
  }
  throw Refusal("a result of type " + value.type()->str() + " can't be given to JavaScript",
                "ERR_TORCH_UNSUPPORTED_OPERATOR");
}

}  // namespace fastopt
