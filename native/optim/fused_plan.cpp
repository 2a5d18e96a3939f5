#include "optim/fused_plan.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <unordered_set>
#include <utility>

#include "core/names.h"
#include "optim/grad_norm.h"

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

// Where the address of an array is.
size_t offset_of(int32_t array) {
  constexpr size_t named[] = {offsetof(fastopt_tensor, param), offsetof(fastopt_tensor, grad),
                              offsetof(fastopt_tensor, grad_avg), offsetof(fastopt_tensor, sqr_avg),
                              offsetof(fastopt_tensor, slow)};
  if (array < FASTOPT_OWN) return named[array];
  return offsetof(fastopt_tensor, own) + static_cast<size_t>(array - FASTOPT_OWN) * sizeof(void*);
}

inline void*& array_at(fastopt_tensor& tensor, size_t offset) {
  return *reinterpret_cast<void**>(reinterpret_cast<char*>(&tensor) + offset);
}

bool same_layout(const at::Tensor& tensor, const at::Tensor& param) {
  return tensor.device() == param.device() && tensor.layout() == at::kStrided &&
         tensor.sizes() == param.sizes() && tensor.strides() == param.strides() && !tensor.is_neg();
}

bool is_number(const at::Tensor& tensor, at::Device device) {
  return tensor.device() == device && tensor.layout() == at::kStrided && tensor.numel() == 1;
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

inline void* address(const c10::TensorImpl& tensor, caffe2::TypeMeta type) {
  return static_cast<char*>(tensor.unsafe_storage().mutable_data()) +
         tensor.storage_offset() * static_cast<int64_t>(type.itemsize());
}

inline const void* memory_of(const c10::TensorImpl& tensor) {
  return tensor.unsafe_storage().unsafeGetStorageImpl();
}

}  // namespace

std::string FusedPlan::make(Pipeline pipeline, std::vector<Member> members, FusedPlanPtr& made) {
  auto plan = std::make_shared<FusedPlan>();
  if (members.empty()) return "there are no parameters";
  plan->dtype_ = members[0].param.scalar_type();
  plan->device_ = members[0].param.device();
  if (!fused_dtype(plan->dtype_))
    return "there are no kernels for " + dtype_name(plan->dtype_) + " parameters";
  std::unordered_set<const void*> storages;
  const auto is_apart = [&](const at::Tensor& tensor) {
    return !tensor.defined() || tensor.numel() == 0 || tensor.layout() != at::kStrided ||
           storages.insert(tensor.storage().unsafeGetStorageImpl()).second;
  };
  for (const auto& [param, states, group] : members) {
    if (param.device() != plan->device_) {
      return "parameters are on " + plan->device_.str() + " and " + param.device().str();
    }
    if (param.layout() != at::kStrided) return "a parameter is sparse";
    if (!is_apart(param) || !std::all_of(states.begin(), states.end(), is_apart))
      return "two parameters or states share memory";
    for (size_t i = 0; i < states.size(); ++i) {
      if (states[i].defined() && !pipeline.states[i].scalar && states[i].sizes() != param.sizes())
        return "a state, " + describe(states[i]) + ", has another shape than its parameter";
    }
    plan->groups_ = std::max(plan->groups_, static_cast<size_t>(group) + 1);
  }
  plan->writes_grad_ = writes_grad(pipeline);
  plan->pipeline_ = std::move(pipeline);
  plan->members_ = std::move(members);
  plan->remember();
  DevicePlan* kernels = nullptr;
  if (auto reason = plan->kernels_for(kExtras, kernels); !reason.empty()) return reason;
  made = std::move(plan);
  return {};
}

void FusedPlan::remember() {
  plain_ = at::empty({0}, at::device(device_).dtype(at::kFloat)).key_set();
  type_ = c10::scalarTypeToTypeMeta(dtype_);
  const auto& states = pipeline_.states;
  stride_ = states.size();
  uses_ = stride_ - (pipeline_.averages ? 1 : 0);
  for (const auto& member : members_) {
    params_.push_back(member.param.unsafeGetTensorImpl());
    for (size_t i = 0; i < stride_; ++i) {
      const auto [array, scalar, written] = states[i];
      const bool half = pipeline_.bfloat16_state && !scalar && array != FASTOPT_SLOW;
      const auto dtype = dtype_ == at::kDouble ? at::kDouble : half ? at::kBFloat16 : at::kFloat;
      touched_.push_back({member.states[i].unsafeGetTensorImpl(), offset_of(array),
                          c10::scalarTypeToTypeMeta(dtype), scalar, written});
    }
  }
}

std::string FusedPlan::kernels_for(uint32_t parts, DevicePlan*& found) {
  auto& plan = plans_[parts];
  found = plan.get();
  if (plan) return {};
  std::vector<int32_t> callbacks;
  if (parts & kScaleGrad) callbacks.push_back(FASTOPT_SCALE_GRAD);
  if (parts & kExtras) {
    callbacks.insert(callbacks.end(), pipeline_.callbacks.begin(), pipeline_.callbacks.end());
  }
  if (parts & kAverageWeights) callbacks.push_back(FASTOPT_AVERAGE_WEIGHTS);
  if (parts & kRestoreSlow) callbacks.push_back(FASTOPT_RESTORE_SLOW);
  if (parts & kZeroGrad) callbacks.push_back(FASTOPT_ZERO_GRAD);
  std::vector<fastopt_tensor> tensors(members_.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].size = members_[i].param.numel();
    tensors[i].group = members_[i].group;
  }
  std::vector<fastopt_program> programs;
  for (const auto& nodes : pipeline_.programs)
    programs.push_back({nodes.data(), static_cast<int64_t>(nodes.size())});
  const auto half = pipeline_.bfloat16_state ? FASTOPT_BFLOAT16 : FASTOPT_FLOAT32;
  fastopt_plan_options options{};
  options.dtype = *fused_dtype(dtype_);
  options.state_dtype = dtype_ == at::kDouble ? FASTOPT_FLOAT64 : half;
  options.callbacks = callbacks.data();
  options.callback_count = static_cast<int64_t>(callbacks.size());
  options.programs = programs.data();
  options.program_count = static_cast<int64_t>(programs.size());
  options.tensors = tensors.data();
  options.tensor_count = static_cast<int64_t>(tensors.size());
  auto reason = DevicePlan::make(options, device_, plan);
  found = plan.get();
  return reason;
}

std::string FusedPlan::why_not(size_t i, int64_t planned, Range states) const {
  const auto& param = members_[i].param;
  if (param.device() != device_) return "a parameter has gone to " + param.device().str();
  if (param.scalar_type() != dtype_) {
    return "parameters are " + dtype_name(dtype_) + " and " + dtype_name(param.scalar_type());
  }
  if (param.numel() != planned) return "a parameter has another size than before";
  if (!param.is_non_overlapping_and_dense()) return "a parameter has gaps in memory";
  const auto& grad = params_[i]->grad();
  if (grad.defined()) {
    if (grad.scalar_type() != dtype_ || !same_layout(grad, param)) {
      return "a gradient, " + describe(grad) + ", lies otherwise in memory than its parameter";
    }
    if (grad.is_alias_of(param)) return "a gradient shares memory with its parameter";
  }
  for (auto k = states.first; k < states.last; ++k) {
    const auto& state = members_[i].states[k];
    const auto& touched = touched_[i * stride_ + k];
    if (!state.defined()) return "a parameter has no state yet";
    const bool fits = touched.scalar ? is_number(state, device_) : same_layout(state, param);
    if (state.dtype() != touched.type || !fits) {
      return "a state, " + describe(state) + ", lies otherwise in memory than its parameter";
    }
    if (grad.defined() && state.is_alias_of(grad)) return "a gradient shares memory with a state";
  }
  return {};
}

// The checks of `why_not` as far as they hold for most tensors; false is no verdict.
inline bool FusedPlan::surely_fits(size_t i, const c10::TensorImpl& grad, Range states) const {
  const auto& param = *params_[i];
  const auto plain = [this](const c10::TensorImpl& tensor, caffe2::TypeMeta type) {
    return tensor.key_set() == plain_ && tensor.dtype() == type &&
           (device_.is_cpu() || tensor.device() == device_);
  };
  if (!plain(param, type_) || !param.is_non_overlapping_and_dense_default()) return false;
  if (!plain(grad, type_) || !lies_alike(grad, param) || memory_of(grad) == memory_of(param))
    return false;
  const auto* touched = touched_.data() + i * stride_;
  for (auto k = states.first; k < states.last; ++k) {
    const auto& state = *touched[k].tensor;
    const bool fits = touched[k].scalar ? state.numel() == 1 : lies_alike(state, param);
    if (!fits || !plain(state, touched[k].type) || memory_of(state) == memory_of(grad))
      return false;
  }
  return true;
}

inline void FusedPlan::fill(size_t i, const at::Tensor& grad, Range states,
                            fastopt_tensor& tensor) const {
  tensor.param = address(*params_[i], type_);
  // A tensor without gradient is in a pass that reads none, an empty one has no address: neither is
  // to be left out.
  tensor.grad = tensor.size == 0 ? &tensor
                : grad.defined() ? address(*grad.unsafeGetTensorImpl(), type_)
                                 : tensor.param;
  const auto* touched = touched_.data() + i * stride_;
  for (auto k = states.first; k < states.last; ++k)
    array_at(tensor, touched[k].array) = address(*touched[k].tensor, touched[k].type);
}

// Raw writes are unknown to autograd, which would go on with spoilt values. This is said while the
// tensor is at hand, before the kernels run, which costs less than to come back to all of them;
// should another turn out unfit, it is taken back.
template <bool taken_back>
inline void FusedPlan::announce(size_t i, Range states, bool param, bool grad) const {
  const auto bump = [](c10::TensorImpl& tensor) {
    const auto& version = tensor.version_counter();
    if (!version.enabled()) return;  // inference tensors have none
    if constexpr (taken_back) {
      auto shared = version;
      shared.set_version(static_cast<int64_t>(shared.current_version()) - 1);
    } else {
      tensor.bump_version();
    }
  };
  const auto* touched = touched_.data() + i * stride_;
  if (param) bump(*params_[i]);
  for (auto k = states.first; k < states.last; ++k)
    if (touched[k].written) bump(*touched[k].tensor);
  if (grad) bump(*params_[i]->grad().unsafeGetTensorImpl());
}

// Gradients that are written may not overlap, as two threads may have them.
std::string FusedPlan::unfit_gradients(uint32_t extras) {
  auto& ranges = ranges_;
  ranges.clear();
  for (const auto* param : params_) {
    const auto& grad = param->grad();
    if (!grad.defined() || grad.device() != device_ || grad.layout() != at::kStrided) continue;
    if ((extras & kZeroGrad) && grad.requires_grad()) return "a gradient has a graph of its own";
    const auto* begin = static_cast<const char*>(grad.const_data_ptr());
    ranges.emplace_back(begin, begin + grad.nbytes());
  }
  if (ranges == gradients_) return {};
  auto sorted = ranges;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i].first < sorted[i - 1].second) return "two gradients share memory";
  }
  gradients_ = ranges;
  return {};
}

std::string FusedPlan::find_passes(uint32_t extras, Passes& passes) {
  const uint32_t averages = extras & (kAverageWeights | kRestoreSlow);
  auto reason = kernels_for(kExtras | extras, passes.callbacks);
  if (reason.empty() && extras != averages) reason = kernels_for(extras, passes.graded);
  if (reason.empty() && averages != 0) reason = kernels_for(averages, passes.ungraded);
  return reason;
}

std::string FusedPlan::step(const fastopt_hypers* hypers, fastopt_counters* counters,
                            const uint8_t* active, uint32_t extras) {
  if (held_ && held_->extras != extras) return "the device counts steps of another kind";
  Passes passes;
  auto reason = find_passes(extras, passes);
  if (reason.empty()) reason = gather_all(passes, active, extras);
  for (auto* plan : {passes.callbacks, passes.graded, passes.ungraded})
    if (plan != nullptr && reason.empty()) reason = plan->step(hypers, counters);
  if (held_) recorded_ = tables_of(passes);
  return reason;
}

// Finds all tensors of a step, and tells autograd of what it writes.
std::string FusedPlan::gather_all(const Passes& passes, const uint8_t* active, uint32_t extras) {
  const auto [kernels, graded, ungraded] = passes;
  const uint32_t averages = extras & (kAverageWeights | kRestoreSlow);
  const bool writes_grad = writes_grad_ || (extras & (kScaleGrad | kZeroGrad)) != 0;
  if (writes_grad) {
    if (auto reason = unfit_gradients(extras); !reason.empty()) return reason;
  }
  for (auto* plan : {kernels, graded, ungraded}) {
    for (size_t i = 0; plan != nullptr && i < params_.size(); ++i)
      plan->tensors()[i].grad = nullptr;
  }
  const Range states{0, averages != 0 ? stride_ : uses_}, rest{uses_, states.last};
  const bool restores = (extras & kRestoreSlow) != 0;
  auto reason = gather(kernels->tensors(), active, states, writes_grad);
  if (reason.empty() && extras != 0)
    reason = gather_rest(kernels->tensors(), rest, restores, graded, ungraded);
  if (reason.empty()) return reason;
  for (size_t i = 0; i < params_.size(); ++i) {
    const auto filled = [i](DevicePlan* plan) { return plan && plan->tensors()[i].grad; };
    if (filled(kernels)) announce<true>(i, states, true, writes_grad);
    if (filled(graded)) announce<true>(i, rest, restores, true);
    if (filled(ungraded)) announce<true>(i, rest, restores, false);
  }
  return reason;
}

// What the callbacks step.
std::string FusedPlan::gather(fastopt_tensor* tensors, const uint8_t* active, Range states,
                              bool writes_grad) {
  for (size_t i = 0; i < params_.size(); ++i) {
    if (active[i] == 0) continue;
    auto& tensor = tensors[i];
    const auto& grad = params_[i]->grad();
    if (!grad.defined()) continue;
    if (params_[i]->numel() != tensor.size ||
        !surely_fits(i, *grad.unsafeGetTensorImpl(), states)) {
      if (auto reason = why_not(i, tensor.size, states); !reason.empty()) return reason;
    }
    fill(i, grad, states, tensor);
    announce<false>(i, states, true, writes_grad);
  }
  return {};
}

// What the callbacks leave alone is scaled, averaged and zeroed all the same: gradients of frozen
// parameters, and the weights of those without a gradient.
std::string FusedPlan::gather_rest(const fastopt_tensor* stepped, Range states, bool restores,
                                   DevicePlan* graded, DevicePlan* ungraded) {
  for (size_t i = 0; i < params_.size(); ++i) {
    const auto& grad = params_[i]->grad();
    auto* plan = grad.defined() && graded != nullptr ? graded : ungraded;
    if (stepped[i].grad != nullptr || plan == nullptr) continue;
    auto& tensor = plan->tensors()[i];
    if (auto reason = why_not(i, tensor.size, states); !reason.empty()) return reason;
    fill(i, grad, states, tensor);
    announce<false>(i, states, restores, plan == graded);
  }
  return {};
}

std::optional<double> FusedPlan::grad_norm() const {
  std::vector<Elements> all;
  for (const auto* param : params_) {
    const auto& grad = param->grad();
    if (!grad.defined()) continue;
    if (!grad.is_cpu() || grad.layout() != at::kStrided || grad.scalar_type() != dtype_ ||
        !grad.is_non_overlapping_and_dense())
      return std::nullopt;
    all.push_back({grad.const_data_ptr(), grad.numel()});
  }
  return norm_of(all, dtype_);
}

}  // namespace fastopt::optim
