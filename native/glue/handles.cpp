#include <c10/core/Event.h>
#include <torch/csrc/autograd/function.h>

#include "core/graph.h"
#include "core/names.h"
#include "glue/refuse.h"
#include "nn/layer.h"
#include "optim/fused_plan.h"
#include "optim/wrapped.h"

namespace fastopt {
namespace {

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
template <>
constexpr napi_type_tag kTag<Box<EventPtr>>{0x6661737400000007, 0x746f726368000007};
template <>
constexpr napi_type_tag kTag<Box<GraphPtr>>{0x6661737400000008, 0x746f726368000008};

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

}  // namespace

// ---- tensors ----

const at::Tensor* try_tensor(const Call& call, napi_value value, Where where) {
  auto* box = unwrap<TensorBox>(call, value);
  if (box == nullptr) return nullptr;
  if (!box->tensor.defined()) refuse_disposed(where, "tensor");
  return &box->tensor;
}

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

napi_value wrap_event(const Call& call, const EventPtr& event) {
  using B = Box<EventPtr>;
  return wrap(call, std::make_unique<B>(B{event}), finalize<B>);
}
napi_value wrap_graph(const Call& call, const GraphPtr& graph) {
  using B = Box<GraphPtr>;
  return wrap(call, std::make_unique<B>(B{graph}), finalize<B>);
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
const EventPtr& event_of(const Call& call, napi_value value, const char* where) {
  return boxed<EventPtr>(call, value, where, "event");
}
const GraphPtr& graph_of(const Call& call, napi_value value, const char* where) {
  return boxed<GraphPtr>(call, value, where, "graph");
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

void dispose_graph(const Call& call, napi_value value) {
  auto* box = unwrap<Box<GraphPtr>>(call, value);
  if (box == nullptr) refuse(call, value, "dispose", "a graph");
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

const at::Generator* try_generator(const Call& call, napi_value value) {
  const auto* box = unwrap<Box<at::Generator>>(call, value);
  return box != nullptr && box->value ? &*box->value : nullptr;
}

// ---- messages ----

[[noreturn]] void refuse(const Call& call, napi_value value, Where where,
                         const std::string& expected) {
  throw Refusal(where.text() + ": expected " + expected + ", got " + describe(call, value));
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

}  // namespace fastopt
