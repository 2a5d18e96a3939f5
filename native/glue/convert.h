#pragma once
#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type_base.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "glue/env.h"

namespace c10 {
struct Event;
}

namespace fastopt {

namespace cuda {
class Graph;
}
namespace nn {
class Layer;
}
namespace optim {
class FusedPlan;
class Wrapped;
}  // namespace optim

// A shared_ptr until libtorch 2.12, an intrusive_ptr since.
using NodePtr = std::decay_t<decltype(std::declval<const at::Tensor&>().grad_fn())>;
using LayerPtr = std::shared_ptr<nn::Layer>;
using PlanPtr = std::shared_ptr<optim::FusedPlan>;
using OptimizerPtr = std::shared_ptr<optim::Wrapped>;
using EventPtr = std::shared_ptr<c10::Event>;
using GraphPtr = std::shared_ptr<cuda::Graph>;

// Native objects (handles.cpp) as type-tagged Externals. `where` begins the message of a refusal.
// An undefined tensor becomes null.
napi_value wrap_tensor(const Call& call, const at::Tensor& tensor);
napi_value wrap_module(const Call& call, const LayerPtr& module);
napi_value wrap_plan(const Call& call, const PlanPtr& plan);
napi_value wrap_optimizer(const Call& call, const OptimizerPtr& optimizer);
napi_value wrap_node(const Call& call, const NodePtr& node);
napi_value wrap_generator(const Call& call, const at::Generator& generator);
napi_value wrap_event(const Call& call, const EventPtr& event);
napi_value wrap_graph(const Call& call, const GraphPtr& graph);

const at::Tensor& tensor_of(const Call& call, napi_value value, const char* where);
// Undefined for null and undefined.
at::Tensor optional_tensor_of(const Call& call, napi_value value, const char* where);
std::vector<at::Tensor> tensors_of(const Call& call, napi_value value, const char* where);
const LayerPtr& module_of(const Call& call, napi_value value, const char* where);
const PlanPtr& plan_of(const Call& call, napi_value value, const char* where);
const OptimizerPtr& optimizer_of(const Call& call, napi_value value, const char* where);
const NodePtr& node_of(const Call& call, napi_value value, const char* where);
at::Generator& generator_of(const Call& call, napi_value value, const char* where);
const EventPtr& event_of(const Call& call, napi_value value, const char* where);
const GraphPtr& graph_of(const Call& call, napi_value value, const char* where);

// Frees the native object now; the handle refuses all use from then on.
void dispose_tensor(const Call& call, napi_value value);
void dispose_module(const Call& call, napi_value value);
void dispose_graph(const Call& call, napi_value value);
void dispose_plan(const Call& call, napi_value value);
void dispose_optimizer(const Call& call, napi_value value);

// Plain values (values.cpp).
bool is_nullish(const Call& call, napi_value value);
bool is_array(const Call& call, napi_value value);
size_t length_of(const Call& call, napi_value array);
napi_value element(const Call& call, napi_value array, size_t index);
bool bool_of(const Call& call, napi_value value, const char* where);
int64_t int_of(const Call& call, napi_value value, const char* where);
std::string string_of(const Call& call, napi_value value, const char* where);
std::vector<int64_t> ints_of(const Call& call, napi_value value, const char* where);
// A device by name, here or not.
at::Device parse_device(const std::string& name);
// Refuses a GPU that is not here.
at::Device device_of(const std::string& name);
napi_value js_bool(const Call& call, bool value);
napi_value js_number(const Call& call, double value);
// A number when it is a safe integer, else a bigint.
napi_value js_integer(const Call& call, int64_t value);
napi_value js_string(const Call& call, const std::string& value);
using Properties = std::initializer_list<std::pair<const char*, napi_value>>;
napi_value js_object(const Call& call, Properties properties);
napi_value js_array(const Call& call, size_t length);
void set_element(const Call& call, napi_value array, size_t index, napi_value value);

struct ArrayView {
  napi_typedarray_type type;
  size_t length;
  void* data;
};
ArrayView typed_array_of(const Call& call, napi_value value, const char* where);

// "a string 'abc'", "a Tensor float32[2, 3]": what came, for messages.
std::string describe(const Call& call, napi_value value);

// One argument of an operator (arguments.cpp), checked against its schema.
c10::IValue argument_of(const Call& call, napi_value value, const c10::Argument& argument);
napi_value result_of(const Call& call, const c10::IValue& value, const c10::TypePtr& type);

}  // namespace fastopt
