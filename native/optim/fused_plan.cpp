#include "optim/fused_plan.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "core/names.h"

namespace fastopt::optim {
namespace {

std::optional<fastopt_dtype> fused_dtype(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return FASTOPT_FLOAT32;
    case at::kDouble:
      return FASTOPT_FLOAT64;
    case at::kBFloat16:
      return FASTOPT_BFLOAT16;
    case at::kHalf:
      return FASTOPT_FLOAT16;
    default:
      return std::nullopt;
  }
}

at::ScalarType state_dtype(at::ScalarType type) { return type == at::kDouble ? type : at::kFloat; }

bool writes_grad(const Pipeline& pipeline) {
  const auto& callbacks = pipeline.callbacks;
  const auto stores = [](const std::vector<fastopt_node>& nodes) {
    return std::any_of(nodes.begin(), nodes.end(), [](const fastopt_node& node) {
      return node.code == FASTOPT_STORE && node.index == FASTOPT_GRAD;
    });
  };
  return std::find(callbacks.begin(), callbacks.end(), FASTOPT_L2_REG) != callbacks.end() ||
         std::any_of(pipeline.programs.begin(), pipeline.programs.end(), stores);
}

void*& array_of(fastopt_tensor& tensor, int32_t array) {
  switch (array) {
    case FASTOPT_PARAM:
      return tensor.param;
    case FASTOPT_GRAD:
      return tensor.grad;
    case FASTOPT_GRAD_AVG:
      return tensor.grad_avg;
    case FASTOPT_SQR_AVG:
      return tensor.sqr_avg;
    case FASTOPT_SLOW:
      return tensor.slow;
    default:
      return tensor.own[array - FASTOPT_OWN];
  }
}

// A `fastopt_parallel` on libtorch's own threads, so that there is one pool.
void on_libtorch_threads(void*, void (*task)(void*), void* context) {
  at::parallel_for(0, at::get_num_threads(), 1, [=](int64_t begin, int64_t end) {
    for (; begin < end; ++begin) task(context);
  });
}

bool same_layout(const at::Tensor& tensor, const at::Tensor& param) {
  return tensor.is_cpu() && tensor.layout() == at::kStrided && tensor.sizes() == param.sizes() &&
         tensor.strides() == param.strides();
}

bool same_number(const at::Tensor& tensor) {
  return tensor.is_cpu() && tensor.layout() == at::kStrided && tensor.numel() == 1;
}

}  // namespace

std::string FusedPlan::make(const Pipeline& pipeline, std::vector<Member> members,
                            FusedPlanPtr& made) {
  auto plan = std::make_shared<FusedPlan>();
  if (members.empty()) return "there are no parameters";
  plan->dtype_ = members[0].param.scalar_type();
  const auto dtype = fused_dtype(plan->dtype_);
  if (!dtype) return "there are no kernels for " + dtype_name(plan->dtype_) + " parameters";
  plan->states_ = pipeline.states;
  plan->writes_grad_ = writes_grad(pipeline);

  std::vector<fastopt_tensor> tensors;
  std::unordered_set<const void*> storages;
  const auto is_apart = [&](const at::Tensor& tensor) {
    return !tensor.defined() || tensor.numel() == 0 ||
           storages.insert(tensor.storage().unsafeGetStorageImpl()).second;
  };
  for (const auto& [param, states, group] : members) {
    if (!param.is_cpu()) return "a parameter is on " + param.device().str();
    if (!is_apart(param) || !std::all_of(states.begin(), states.end(), is_apart))
      return "two parameters or states share memory";
    plan->groups_ = std::max(plan->groups_, static_cast<size_t>(group) + 1);
    fastopt_tensor tensor{};
    tensor.size = param.numel();
    tensor.group = group;
    tensors.push_back(tensor);
  }
  std::vector<fastopt_program> programs;
  for (const auto& nodes : pipeline.programs)
    programs.push_back({nodes.data(), static_cast<int64_t>(nodes.size())});
  fastopt_plan_options options{};
  options.dtype = *dtype;
  options.state_dtype = *fused_dtype(state_dtype(plan->dtype_));
  options.callbacks = pipeline.callbacks.data();
  options.callback_count = static_cast<int64_t>(pipeline.callbacks.size());
  options.programs = programs.data();
  options.program_count = static_cast<int64_t>(programs.size());
  options.tensors = tensors.data();
  options.tensor_count = static_cast<int64_t>(tensors.size());
  fastopt_plan* raw = nullptr;
  const char* reason = fastopt_plan_create(&options, &raw);
  if (reason != nullptr) return reason;
  plan->plan_.reset(raw);
  plan->members_ = std::move(members);
  made = std::move(plan);
  return {};
}

std::string FusedPlan::why_not(const Member& member, int64_t planned) const {
  const auto& [param, states, group] = member;
  if (!param.is_cpu()) return "a parameter is on " + param.device().str();
  if (param.scalar_type() != dtype_) {
    return "parameters are " + dtype_name(dtype_) + " and " + dtype_name(param.scalar_type());
  }
  if (param.numel() != planned) return "a parameter has another size than before";
  if (!param.is_non_overlapping_and_dense()) return "a parameter has gaps in memory";
  const auto& grad = param.grad();
  if (grad.scalar_type() != dtype_ || !same_layout(grad, param)) {
    return "a gradient, " + describe(grad) + ", lies otherwise in memory than its parameter";
  }
  if (grad.is_alias_of(param)) return "a gradient shares memory with its parameter";
  for (size_t i = 0; i < states.size(); ++i) {
    const auto& state = states[i];
    if (!state.defined()) return "a parameter has no state yet";
    const bool fits = states_[i].scalar ? same_number(state) : same_layout(state, param);
    if (state.scalar_type() != state_dtype(dtype_) || !fits) {
      return "a state, " + describe(state) + ", lies otherwise in memory than its parameter";
    }
    if (state.is_alias_of(grad)) return "a gradient shares memory with a state";
  }
  return {};
}

// Raw writes are unknown to autograd, which would go on with spoilt values.
void FusedPlan::announce(const Member& member) const {
  const auto bump = [](const at::Tensor& tensor) {
    if (!tensor.is_inference()) tensor.unsafeGetTensorImpl()->bump_version();
  };
  bump(member.param);
  for (size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].written) bump(member.states[i]);
  }
  if (writes_grad_) bump(member.param.grad());
}

std::string FusedPlan::step(const fastopt_hypers* hypers, fastopt_counters* counters,
                            const uint8_t* active) {
  auto* tensors = fastopt_plan_tensors(plan_.get());
  for (size_t i = 0; i < members_.size(); ++i) {
    const auto& member = members_[i];
    auto& tensor = tensors[i];
    tensor.grad = nullptr;
    if (active[i] == 0 || !member.param.grad().defined()) continue;
    if (auto reason = why_not(member, tensor.size); !reason.empty()) return reason;
    tensor.param = member.param.mutable_data_ptr();
    // An empty tensor has no address, and is counted all the same; nothing of it is read.
    tensor.grad = tensor.size == 0 ? &tensor : member.param.grad().mutable_data_ptr();
    for (size_t k = 0; k < states_.size(); ++k)
      array_of(tensor, states_[k].array) = member.states[k].mutable_data_ptr();
  }
  fastopt_plan_step(plan_.get(), hypers, counters, on_libtorch_threads, nullptr);
  for (size_t i = 0; i < members_.size(); ++i) {
    if (tensors[i].grad != nullptr) announce(members_[i]);
  }
  return {};
}

}  // namespace fastopt::optim
