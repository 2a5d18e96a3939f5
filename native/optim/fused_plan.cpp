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

bool any_of(const std::vector<int32_t>& callbacks, std::initializer_list<int32_t> wanted) {
  return std::find_first_of(callbacks.begin(), callbacks.end(), wanted.begin(), wanted.end()) !=
         callbacks.end();
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

void* address(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.mutable_data_ptr() : nullptr;
}

}  // namespace

std::string FusedPlan::make(const std::vector<int32_t>& callbacks, std::vector<Member> members,
                            FusedPlanPtr& made) {
  auto plan = std::make_shared<FusedPlan>();
  if (members.empty()) return "there are no parameters";
  plan->dtype_ = members[0].param.scalar_type();
  const auto dtype = fused_dtype(plan->dtype_);
  if (!dtype) return "there are no kernels for " + dtype_name(plan->dtype_) + " parameters";
  plan->needs_grad_avg_ =
      any_of(callbacks, {FASTOPT_AVERAGE_GRAD, FASTOPT_AVERAGE_GRAD_DAMPENED, FASTOPT_LION_STEP});
  plan->needs_sqr_avg_ =
      any_of(callbacks, {FASTOPT_AVERAGE_SQR_GRAD, FASTOPT_AVERAGE_SQR_GRAD_DAMPENED});
  plan->writes_grad_ = any_of(callbacks, {FASTOPT_L2_REG});

  std::vector<fastopt_tensor> tensors;
  std::unordered_set<const void*> storages;
  for (const auto& member : members) {
    if (!member.param.is_cpu()) return "a parameter is on " + member.param.device().str();
    for (const auto& tensor : {member.param, member.grad_avg, member.sqr_avg}) {
      if (!tensor.defined() || tensor.numel() == 0) continue;
      if (!storages.insert(tensor.storage().unsafeGetStorageImpl()).second)
        return "two parameters or states share memory";
    }
    plan->groups_ = std::max(plan->groups_, static_cast<size_t>(member.group) + 1);
    fastopt_tensor tensor{};
    tensor.size = member.param.numel();
    tensor.group = member.group;
    tensors.push_back(tensor);
  }
  fastopt_plan_options options{};
  options.dtype = *dtype;
  options.state_dtype = *fused_dtype(state_dtype(plan->dtype_));
  options.callbacks = callbacks.data();
  options.callback_count = static_cast<int64_t>(callbacks.size());
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
  const auto& [param, grad_avg, sqr_avg, group] = member;
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
  for (const auto& [needed, state] :
       {std::pair(needs_grad_avg_, grad_avg), {needs_sqr_avg_, sqr_avg}}) {
    if (!needed) continue;
    if (!state.defined()) return "a parameter has no state yet";
    if (state.scalar_type() != state_dtype(dtype_) || !same_layout(state, param)) {
      return "a state, " + describe(state) + ", lies otherwise in memory than its parameter";
    }
  }
  return {};
}

// Raw writes are unknown to autograd, which would go on with spoilt values.
void FusedPlan::announce(const Member& member) const {
  const auto bump = [](const at::Tensor& tensor) {
    if (tensor.defined() && !tensor.is_inference()) tensor.unsafeGetTensorImpl()->bump_version();
  };
  bump(member.param);
  if (needs_grad_avg_) bump(member.grad_avg);
  if (needs_sqr_avg_) bump(member.sqr_avg);
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
    tensor.param = address(member.param);
    // An empty tensor has no address, and is counted all the same; nothing of it is read.
    tensor.grad = tensor.size == 0 ? &tensor : address(member.param.grad());
    tensor.grad_avg = needs_grad_avg_ ? address(member.grad_avg) : nullptr;
    tensor.sqr_avg = needs_sqr_avg_ ? address(member.sqr_avg) : nullptr;
  }
  fastopt_plan_step(plan_.get(), hypers, counters, on_libtorch_threads, nullptr);
  for (size_t i = 0; i < members_.size(); ++i) {
    if (tensors[i].grad != nullptr) announce(members_[i]);
  }
  return {};
}

}  // namespace fastopt::optim
