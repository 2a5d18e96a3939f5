#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <cmath>

#include "core/cuda.h"
#include "core/names.h"
#include "glue/refuse.h"

namespace fastopt {

constexpr double kMaxSafe = 9007199254740991.0;

napi_valuetype kind_of(const Call& call, napi_value value) {
  napi_valuetype type = napi_undefined;
  check(call.env(), napi_typeof(call.env(), value, &type));
  return type;
}

bool is_nullish(const Call& call, napi_value value) {
  const auto kind = kind_of(call, value);
  return kind == napi_undefined || kind == napi_null;
}

bool is_array(const Call& call, napi_value value) {
  bool array = false;
  check(call.env(), napi_is_array(call.env(), value, &array));
  return array;
}

size_t length_of(const Call& call, napi_value array) {
  if (!is_array(call, array)) refuse(call, array, "argument", "an array");
  uint32_t length = 0;
  check(call.env(), napi_get_array_length(call.env(), array, &length));
  return length;
}

napi_value element(const Call& call, napi_value array, size_t index) {
  napi_value value = nullptr;
  check(call.env(), napi_get_element(call.env(), array, static_cast<uint32_t>(index), &value));
  return value;
}

bool bool_of(const Call& call, napi_value value, const char* where) {
  if (kind_of(call, value) != napi_boolean) refuse(call, value, where, "a boolean");
  bool result = false;
  check(call.env(), napi_get_value_bool(call.env(), value, &result));
  return result;
}

std::optional<double> try_number(const Call& call, napi_value value) {
  if (kind_of(call, value) != napi_number) return std::nullopt;
  double number = 0;
  check(call.env(), napi_get_value_double(call.env(), value, &number));
  return number;
}

std::optional<int64_t> try_bigint(const Call& call, napi_value value) {
  if (kind_of(call, value) != napi_bigint) return std::nullopt;
  int64_t integer = 0;
  bool lossless = false;
  check(call.env(), napi_get_value_bigint_int64(call.env(), value, &integer, &lossless));
  if (!lossless) throw Refusal("a bigint is outside the range of int64");
  return integer;
}

static bool is_integer(double number) {
  return std::trunc(number) == number && std::abs(number) <= kMaxSafe &&
         !(number == 0 && std::signbit(number));
}

std::optional<int64_t> try_int(const Call& call, napi_value value) {
  if (const auto number = try_number(call, value)) {
    if (*number == 0) return 0;
    return is_integer(*number) ? std::optional(static_cast<int64_t>(*number)) : std::nullopt;
  }
  return try_bigint(call, value);
}

std::optional<double> try_double(const Call& call, napi_value value) {
  if (const auto number = try_number(call, value)) return number;
  if (const auto integer = try_bigint(call, value)) return static_cast<double>(*integer);
  return std::nullopt;
}

std::optional<bool> try_bool(const Call& call, napi_value value) {
  if (kind_of(call, value) != napi_boolean) return std::nullopt;
  return bool_of(call, value, "");
}

std::optional<at::Scalar> try_scalar(const Call& call, napi_value value) {
  if (const auto flag = try_bool(call, value)) return at::Scalar(*flag);
  if (const auto number = try_number(call, value)) {
    return is_integer(*number) ? at::Scalar(static_cast<int64_t>(*number)) : at::Scalar(*number);
  }
  if (const auto integer = try_bigint(call, value)) return at::Scalar(*integer);
  return std::nullopt;
}

std::optional<std::string> try_string(const Call& call, napi_value value) {
  if (kind_of(call, value) != napi_string) return std::nullopt;
  size_t length = 0;
  check(call.env(), napi_get_value_string_utf8(call.env(), value, nullptr, 0, &length));
  std::string text(length, '\0');
  check(call.env(),
        napi_get_value_string_utf8(call.env(), value, text.data(), length + 1, &length));
  return text;
}

int64_t int_of(const Call& call, napi_value value, const char* where) {
  const auto integer = try_int(call, value);
  if (!integer) refuse(call, value, where, "an integer");
  return *integer;
}

std::string string_of(const Call& call, napi_value value, const char* where) {
  auto text = try_string(call, value);
  if (!text) refuse(call, value, where, "a string");
  return std::move(*text);
}

std::vector<int64_t> ints_of(const Call& call, napi_value value, const char* where) {
  const size_t length = length_of(call, value);
  std::vector<int64_t> result(length);
  for (size_t i = 0; i < length; ++i) result[i] = int_of(call, element(call, value, i), where);
  return result;
}

at::Device parse_device(const std::string& name) {
  try {
    return at::Device(name);
  } catch (const c10::Error&) {
    throw Refusal("expected a device such as 'cpu' or 'cuda:0', got '" + name + "'");
  }
}

static void require_cuda(const std::string& name, int64_t index) {
  constexpr auto kCode = "ERR_TORCH_CUDA_UNAVAILABLE";
  if (!cuda::is_built()) {
    throw Refusal("'" + name +
                      "' needs a libtorch with CUDA, and this one has none; run `npx fastopt "
                      "setup --cuda` to get it",
                  kCode);
  }
  const auto count = cuda::device_count();
  if (count == 0) {
    throw Refusal("'" + name +
                      "' needs an NVIDIA GPU and its driver, and libtorch found none; `npx "
                      "fastopt doctor` tells more",
                  kCode);
  }
  if (index >= count) {
    throw Refusal(
        "expected a GPU from cuda:0 to cuda:" + std::to_string(count - 1) + ", got '" + name + "'",
        kCode);
  }
}

at::Device device_of(const std::string& name) {
  const auto device = parse_device(name);
  if (device.is_cuda()) {
    require_cuda(name, device.index());
  } else if (device.index() > 0 || !c10::impl::hasDeviceGuardImpl(device.type())) {
    throw Refusal("expected a device such as 'cpu' or 'cuda:0', got '" + name +
                  "', which this libtorch doesn't have");
  }
  return device;
}

napi_value js_bool(const Call& call, bool value) {
  napi_value result = nullptr;
  check(call.env(), napi_get_boolean(call.env(), value, &result));
  return result;
}

napi_value js_number(const Call& call, double value) {
  napi_value result = nullptr;
  check(call.env(), napi_create_double(call.env(), value, &result));
  return result;
}

napi_value js_integer(const Call& call, int64_t value) {
  if (std::abs(static_cast<double>(value)) <= kMaxSafe) {
    return js_number(call, static_cast<double>(value));
  }
  napi_value result = nullptr;
  check(call.env(), napi_create_bigint_int64(call.env(), value, &result));
  return result;
}

napi_value js_string(const Call& call, const std::string& value) {
  napi_value result = nullptr;
  check(call.env(), napi_create_string_utf8(call.env(), value.data(), value.size(), &result));
  return result;
}

napi_value js_object(const Call& call, Properties properties) {
  napi_value object = nullptr;
  check(call.env(), napi_create_object(call.env(), &object));
  for (const auto& [name, value] : properties) {
    check(call.env(), napi_set_named_property(call.env(), object, name, value));
  }
  return object;
}

napi_value js_array(const Call& call, size_t length) {
  napi_value result = nullptr;
  check(call.env(), napi_create_array_with_length(call.env(), length, &result));
  return result;
}

void set_element(const Call& call, napi_value array, size_t index, napi_value value) {
  check(call.env(), napi_set_element(call.env(), array, static_cast<uint32_t>(index), value));
}

ArrayView typed_array_of(const Call& call, napi_value value, const char* where) {
  bool typed = false;
  check(call.env(), napi_is_typedarray(call.env(), value, &typed));
  if (!typed) refuse(call, value, where, "a TypedArray");
  ArrayView view{};
  check(call.env(), napi_get_typedarray_info(call.env(), value, &view.type, &view.length,
                                             &view.data, nullptr, nullptr));
  return view;
}

}  // namespace fastopt
