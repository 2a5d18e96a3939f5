#include "optim/fused_plan.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

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

at::ScalarType state_dtype_of(at::ScalarType type) {
  return type == at::kDouble ? type : at::kFloat;
}

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
         tensor.strides() == param.strides() && !tensor.is_neg();
}

bool same_number(const at::Tensor& tensor) {
  return tensor.is_cpu() && tensor.layout() == at::kStrided && tensor.numel() == 1;
}

inline bool same(c10::IntArrayRef a, c10::IntArrayRef b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

// Whether two tensors have their elements in the same order. What is contiguous has, whatever its
// shape; so the shape of a state is compared when the plan is made.
inline bool lies_alike(const c10::TensorImpl& a, const c10::TensorImpl& b) {
  constexpr auto kContiguous = at::MemoryFormat::Contiguous;
  if (a.is_contiguous_default(kContiguous) && b.is_contiguous_default(kContiguous))
    return a.numel() == b.numel();
  const auto sizes = a.sizes(), others = b.sizes();
  return sizes.size() == others.size() && same(sizes, others) && same(a.strides(), b.strides());
}

inline void* address(const c10::TensorImpl& tensor, int64_t item_size) {
  return static_cast<char*>(tensor.unsafe_storage().mutable_data()) +
         tensor.storage_offset() * item_size;
}

inline const void* memory_of(const c10::TensorImpl& tensor) {
  return tensor.unsafe_storage().unsafeGetStorageImpl();
}

}  // namespace

std::string FusedPlan::make(const Pipeline& pipeline, std::vector<Member> members,
                            FusedPlanPtr& made) {
  auto plan = std::make_shared<FusedPlan>();
  if (members.empty()) return "there are no parameters";
  plan->dtype_ = members[0].param.scalar_type();
  const auto dtype = fused_dtype(plan->dtype_);
  if (!dtype) return "there are no kernels for " + dtype_name(plan->dtype_) + " parameters";
  plan->state_dtype_ = state_dtype_of(plan->dtype_);
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
    for (size_t i = 0; i < states.size(); ++i) {
      if (states[i].defined() && !pipeline.states[i].scalar && states[i].sizes() != param.sizes())
        return "a state, " + describe(states[i]) + ", has another shape than its parameter";
    }
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
  options.state_dtype = *fused_dtype(plan->state_dtype_);
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
  plan->remember();
  made = std::move(plan);
  return {};
}

// What a step goes through, without a detour.
void FusedPlan::remember() {
  plain_ = at::empty({0}, at::kFloat).key_set();
  type_ = c10::scalarTypeToTypeMeta(dtype_);
  state_type_ = c10::scalarTypeToTypeMeta(state_dtype_);
  uses_ = states_.size();
  auto* tensor = fastopt_plan_tensors(plan_.get());
  for (const auto& member : members_) {
    params_.push_back(member.param.unsafeGetTensorImpl());
    for (size_t i = 0; i < uses_; ++i) {
      const auto [array, scalar, written] = states_[i];
      touched_.push_back(
          {member.states[i].unsafeGetTensorImpl(), &array_of(*tensor, array), scalar, written});
    }
    ++tensor;
  }
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
    if (state.scalar_type() != state_dtype_ || !fits) {
      return "a state, " + describe(state) + ", lies otherwise in memory than its parameter";
    }
    if (state.is_alias_of(grad)) return "a gradient shares memory with a state";
  }
  return {};
}

// The checks of `why_not` as far as they hold for most tensors; false is no verdict.
inline bool FusedPlan::surely_fits(const c10::TensorImpl& param, const c10::TensorImpl& grad,
                                   const Touched* states) const {
  const auto plain = [this](const c10::TensorImpl& tensor, caffe2::TypeMeta dtype) {
    return tensor.key_set() == plain_ && tensor.dtype() == dtype;
  };
  if (!plain(param, type_) || !param.is_non_overlapping_and_dense_default()) return false;
  if (!plain(grad, type_) || !lies_alike(grad, param) || memory_of(grad) == memory_of(param))
    return false;
  for (const auto* state = states; state != states + uses_; ++state) {
    const auto& tensor = *state->tensor;
    const bool fits = state->scalar ? tensor.numel() == 1 : lies_alike(tensor, param);
    if (!fits || !plain(tensor, state_type_) || memory_of(tensor) == memory_of(grad)) return false;
  }
  return true;
}

// Raw writes are unknown to autograd, which would go on with spoilt values. This is said while the
// tensor is at hand, before the kernels run: should another tensor turn out unfit, the callbacks
// write all the same.
void FusedPlan::announce(size_t i) const {
  const auto bump = [](c10::TensorImpl& tensor) {
    if (tensor.version_counter().enabled()) tensor.bump_version();  // inference tensors have none
  };
  bump(*params_[i]);
  for (const auto* state = &touched_[i * uses_]; state != &touched_[(i + 1) * uses_]; ++state)
    if (state->written) bump(*state->tensor);
  if (writes_grad_) bump(*params_[i]->grad().unsafeGetTensorImpl());
}

std::string FusedPlan::step(const fastopt_hypers* hypers, fastopt_counters* counters,
                            const uint8_t* active) {
  auto* tensors = fastopt_plan_tensors(plan_.get());
  const auto count = members_.size(), uses = uses_;
  const auto item_size = static_cast<int64_t>(type_.itemsize());
  const auto state_size = static_cast<int64_t>(state_type_.itemsize());
  for (size_t i = 0; i < count; ++i) {
    auto& tensor = tensors[i];
    tensor.grad = nullptr;
    if (active[i] == 0) continue;
    const auto& param = *params_[i];
    const auto& grad = param.grad();
    if (!grad.defined()) continue;
    const auto* states = touched_.data() + i * uses;
    if (param.numel() != tensor.size || !surely_fits(param, *grad.unsafeGetTensorImpl(), states)) {
      if (auto reason = why_not(members_[i], tensor.size); !reason.empty()) return reason;
    }
    tensor.param = address(param, item_size);
    // An empty tensor has no address, and is counted all the same; nothing of it is read.
    tensor.grad = tensor.size == 0 ? &tensor : address(*grad.unsafeGetTensorImpl(), item_size);
    for (size_t k = 0; k < uses; ++k) *states[k].array = address(*states[k].tensor, state_size);
    announce(i);
  }
  fastopt_plan_step(plan_.get(), hypers, counters, on_libtorch_threads, nullptr);
  return {};
}

}  // namespace fastopt::optim
