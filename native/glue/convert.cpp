#include "glue/convert.h"

#include <ATen/core/jit_type.h>
#include <torch/csrc/autograd/function.h>

#include <cmath>
#include <limits>

#include "core/names.h"
#include "nn/layer.h"

namespace fastopt {
namespace {

constexpr double kMaxSafe = 9007199254740991.0;

// ---- boxes ----

template <class T>
struct Box {
  std::optional<T> value;
};

struct TensorBox {
  std::shared_ptr<AddonData> data;
  at::Tensor tensor;
  // What this handle was counted with: set_data and resize_ change the tensor's own storage later.
  const void* storage = nullptr;

  // Returns the bytes to take back from V8.
  int64_t release() {
    if (!tensor.defined()) return 0;
    tensor.reset();
    --data->live_tensors;
    return data->ledger.remove(storage);
  }
};

template <class T>
constexpr napi_type_tag kTag{};
template <>
constexpr napi_type_tag kTag<TensorBox>{0x6661737400000001, 0x746f726368000001};
template <>
constexpr napi_type_tag kTag<Box<LayerPtr>>{0x6661737400000002, 0x746f726368000002};
template <>
constexpr napi_type_tag kTag<Box<NodePtr>>{0x6661737400000003, 0x746f726368000003};
template <>
constexpr napi_type_tag kTag<Box<at::Generator>>{0x6661737400000004, 0x746f726368000004};

template <>
constexpr napi_type_tag kTag<Box<PlanPtr>>{0x6661737400000006, 0x746f726368000006};
template <>
constexpr napi_type_tag kTag<Box<OptimizerPtr>>{0x6661737400000005, 0x746f726368000005};

void adjust(napi_env env, int64_t bytes) {
  int64_t total = 0;
  if (bytes != 0) napi_adjust_external_memory(env, bytes, &total);
}

// Basic finalizers: they may run inside any call above that allocates, so they hold nothing.
void finalize_tensor(napi_env env, void* pointer, void*) {
  const std::unique_ptr<TensorBox> box(static_cast<TensorBox*>(pointer));
  adjust(env, box->release());
}

template <class T>
void finalize(napi_env, void* pointer, void*) {
  delete static_cast<T*>(pointer);
}

template <class T>
napi_value wrap(const Call& call, std::unique_ptr<T> box, napi_finalize finalizer) {
  napi_value external = nullptr;
  check(call.env(), napi_create_external(call.env(), box.get(), finalizer, nullptr, &external));
  box.release();
  check(call.env(), napi_type_tag_object(call.env(), external, &kTag<T>));
  return external;
}

template <class T>
T* unwrap(const Call& call, napi_value value) {
  napi_valuetype type = napi_undefined;
  check(call.env(), napi_typeof(call.env(), value, &type));
  if (type != napi_external) return nullptr;
  bool matches = false;
  check(call.env(), napi_check_object_type_tag(call.env(), value, &kTag<T>, &matches));
  if (!matches) return nullptr;
  void* pointer = nullptr;
  check(call.env(), napi_get_value_external(call.env(), value, &pointer));
  return static_cast<T*>(pointer);
}

// The beginning of a refusal's message, written only when there is one.
class Where {
 public:
  Where(const char* name) : name_(name) {}                        // NOLINT: implicit
  Where(const c10::Argument& argument) : argument_(&argument) {}  // NOLINT: implicit
  std::string text() const {
    return argument_ == nullptr ? name_ : "argument '" + argument_->name() + "'";
  }

 private:
  const char* name_ = "";
  const c10::Argument* argument_ = nullptr;
};

[[noreturn]] void refuse(const Call& call, napi_value value, Where where,
                         const std::string& expected) {
  throw Refusal(where.text() + ": expected " + expected + ", got " + describe(call, value));
}

[[noreturn]] void refuse_disposed(Where where, const char* what) {
  const std::string advice = std::string(what) == "tensor"
                                 ? "; use keep() or return it from tidy() to hold it longer"
                                 : "";
  throw Refusal(where.text() + ": the " + what + " has been disposed" + advice,
                "ERR_TORCH_DISPOSED");
}

template <class T>
T& boxed(const Call& call, napi_value value, const char* where, const char* what) {
  auto* box = unwrap<Box<T>>(call, value);
  if (box == nullptr) refuse(call, value, where, what);
  if (!box->value) refuse_disposed(where, what);
  return *box->value;
}

const at::Tensor* try_tensor(const Call& call, napi_value value, Where where) {
  auto* box = unwrap<TensorBox>(call, value);
  if (box == nullptr) return nullptr;
  if (!box->tensor.defined()) refuse_disposed(where, "tensor");
  return &box->tensor;
}

napi_valuetype kind_of(const Call& call, napi_value value) {
  napi_valuetype type = napi_undefined;
  check(call.env(), napi_typeof(call.env(), value, &type));
  return type;
}

}  // namespace

// ---- native objects ----

napi_value wrap_tensor(const Call& call, const at::Tensor& tensor) {
  if (!tensor.defined()) {
    napi_value null = nullptr;
    check(call.env(), napi_get_null(call.env(), &null));
    return null;
  }
  auto box = std::make_unique<TensorBox>(TensorBox{call.data(), tensor});
  int64_t bytes = 0;
  if (tensor.has_storage()) {
    const auto& storage = tensor.storage();
    box->storage = storage.unsafeGetStorageImpl();
    bytes = static_cast<int64_t>(storage.nbytes());
  }
  const int64_t added = call.data()->ledger.add(box->storage, bytes);
  ++call.data()->live_tensors;
  // Before the External exists: a collection triggered below must see balanced books.
  adjust(call.env(), added);
  return wrap(call, std::move(box), finalize_tensor);
}

napi_value wrap_module(const Call& call, const LayerPtr& module) {
  using B = Box<LayerPtr>;
  return wrap(call, std::make_unique<B>(B{module}), finalize<B>);
}

napi_value wrap_plan(const Call& call, const PlanPtr& plan) {
  using B = Box<PlanPtr>;
  return wrap(call, std::make_unique<B>(B{plan}), finalize<B>);
}

napi_value wrap_optimizer(const Call& call, const OptimizerPtr& optimizer) {
  using B = Box<OptimizerPtr>;
  return wrap(call, std::make_unique<B>(B{optimizer}), finalize<B>);
}

napi_value wrap_node(const Call& call, const NodePtr& node) {
  using B = Box<NodePtr>;
  return wrap(call, std::make_unique<B>(B{node}), finalize<B>);
}

napi_value wrap_generator(const Call& call, const at::Generator& generator) {
  using B = Box<at::Generator>;
  return wrap(call, std::make_unique<B>(B{generator}), finalize<B>);
}

const at::Tensor& tensor_of(const Call& call, napi_value value, const char* where) {
  const auto* tensor = try_tensor(call, value, where);
  if (tensor == nullptr) refuse(call, value, where, "a Tensor");
  return *tensor;
}

at::Tensor optional_tensor_of(const Call& call, napi_value value, const char* where) {
  return is_nullish(call, value) ? at::Tensor() : tensor_of(call, value, where);
}

std::vector<at::Tensor> tensors_of(const Call& call, napi_value value, const char* where) {
  const size_t length = length_of(call, value);
  std::vector<at::Tensor> tensors;
  tensors.reserve(length);
  for (size_t i = 0; i < length; ++i) {
    tensors.push_back(optional_tensor_of(call, element(call, value, i), where));
  }
  return tensors;
}

const LayerPtr& module_of(const Call& call, napi_value value, const char* where) {
  return boxed<LayerPtr>(call, value, where, "module");
}
const PlanPtr& plan_of(const Call& call, napi_value value, const char* where) {
  return boxed<PlanPtr>(call, value, where, "plan");
}
const OptimizerPtr& optimizer_of(const Call& call, napi_value value, const char* where) {
  return boxed<OptimizerPtr>(call, value, where, "optimizer");
}
const NodePtr& node_of(const Call& call, napi_value value, const char* where) {
  return boxed<NodePtr>(call, value, where, "node of the autograd graph");
}
at::Generator& generator_of(const Call& call, napi_value value, const char* where) {
  return boxed<at::Generator>(call, value, where, "generator");
}

void dispose_tensor(const Call& call, napi_value value) {
  auto* box = unwrap<TensorBox>(call, value);
  if (box == nullptr) refuse(call, value, "dispose", "a Tensor");
  adjust(call.env(), box->release());
}

void dispose_module(const Call& call, napi_value value) {
  auto* box = unwrap<Box<LayerPtr>>(call, value);
  if (box == nullptr) refuse(call, value, "dispose", "a module");
  box->value.reset();
}

void dispose_plan(const Call& call, napi_value value) {
  auto* box = unwrap<Box<PlanPtr>>(call, value);
  if (box == nullptr) refuse(call, value, "dispose", "a plan");
  box->value.reset();
}

void dispose_optimizer(const Call& call, napi_value value) {
  auto* box = unwrap<Box<OptimizerPtr>>(call, value);
  if (box == nullptr) refuse(call, value, "dispose", "an optimizer");
  box->value.reset();
}

// ---- plain values ----

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

static std::optional<double> try_number(const Call& call, napi_value value) {
  if (kind_of(call, value) != napi_number) return std::nullopt;
  double number = 0;
  check(call.env(), napi_get_value_double(call.env(), value, &number));
  return number;
}

static std::optional<int64_t> try_bigint(const Call& call, napi_value value) {
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

static std::optional<int64_t> try_int(const Call& call, napi_value value) {
  if (const auto number = try_number(call, value)) {
    if (*number == 0) return 0;
    return is_integer(*number) ? std::optional(static_cast<int64_t>(*number)) : std::nullopt;
  }
  return try_bigint(call, value);
}

static std::optional<double> try_double(const Call& call, napi_value value) {
  if (const auto number = try_number(call, value)) return number;
  if (const auto integer = try_bigint(call, value)) return static_cast<double>(*integer);
  return std::nullopt;
}

static std::optional<bool> try_bool(const Call& call, napi_value value) {
  if (kind_of(call, value) != napi_boolean) return std::nullopt;
  return bool_of(call, value, "");
}

static std::optional<at::Scalar> try_scalar(const Call& call, napi_value value) {
  if (const auto flag = try_bool(call, value)) return at::Scalar(*flag);
  if (const auto number = try_number(call, value)) {
    return is_integer(*number) ? at::Scalar(static_cast<int64_t>(*number)) : at::Scalar(*number);
  }
  if (const auto integer = try_bigint(call, value)) return at::Scalar(*integer);
  return std::nullopt;
}

static std::optional<std::string> try_string(const Call& call, napi_value value) {
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

at::Device device_of(const std::string& name) {
  try {
    return at::Device(name);
  } catch (const c10::Error&) {
    throw Refusal("expected a device such as 'cpu' or 'cuda:0', got '" + name + "'");
  }
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

std::string describe(const Call& call, napi_value value) {
  constexpr size_t kLongest = 60;
  switch (kind_of(call, value)) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean:
      return bool_of(call, value, "") ? "true" : "false";
    case napi_string: {
      auto text = *try_string(call, value);
      if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
      return "the string '" + text + "'";
    }
    case napi_number:
    case napi_bigint: {
      napi_value text = nullptr;
      check(call.env(), napi_coerce_to_string(call.env(), value, &text));
      return *try_string(call, text);
    }
    case napi_symbol:
      return "a symbol";
    case napi_function:
      return "a function";
    case napi_external: {
      const auto* box = unwrap<TensorBox>(call, value);
      if (box != nullptr) return "a Tensor " + describe(box->tensor);
      return "another native object";
    }
    case napi_object:
      if (is_array(call, value)) {
        return "an array of length " + std::to_string(length_of(call, value));
      }
      return "an object";
  }
  return "an unknown value";
}

// ---- operator arguments ----

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
      auto* box = unwrap<Box<at::Generator>>(call, value);
      if (box == nullptr || !box->value) return std::nullopt;
      return c10::IValue(*box->value);
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
  if (type->kind() != Kind::ListType) return plain_of(call, value, *type, where);
  const auto element_type = type->expectRef<c10::ListType>().getElementType();
  if (is_array(call, value)) return list_argument(call, value, element_type, where);
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
