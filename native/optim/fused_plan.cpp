#include "optim/fused_plan.h"

#include <algorithm>
#include <optional>
#include <stdexcept>

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

bool stores_grad(const Pipeline& pipeline) {
  const auto& callbacks = pipeline.callbacks;
  const auto stores = [](const std::vector<fastopt_node>& nodes) {
    return std::any_of(nodes.begin(), nodes.end(), [](const fastopt_node& node) {
      return node.code == FASTOPT_STORE && node.index == FASTOPT_GRAD;
    });
  };
  return std::find(callbacks.begin(), callbacks.end(), FASTOPT_L2_REG) != callbacks.end() ||
         std::any_of(pipeline.programs.begin(), pipeline.programs.end(), stores);
}

}  // namespace

std::string FusedPlan::make(Pipeline pipeline, std::vector<Member> members, FusedPlanPtr& made) {
  auto plan = std::make_shared<FusedPlan>();
  if (members.empty()) return "there are no parameters";
  const auto dtype = members[0].param.scalar_type();
  if (!fused_dtype(dtype)) return "there are no kernels for " + dtype_name(dtype) + " parameters";
  for (const auto& member : members)
    plan->groups_ = std::max(plan->groups_, static_cast<size_t>(member.group) + 1);
  auto reason = plan->tensors_.take(std::move(members), pipeline.states, pipeline.bfloat16_state);
  if (!reason.empty()) return reason;
  plan->writes_grad_ = stores_grad(pipeline);
  plan->pipeline_ = std::move(pipeline);
  DevicePlan* kernels = nullptr;
  reason = plan->kernels_for(kExtras, kernels);
  if (reason.empty()) made = std::move(plan);
  return reason;
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
  std::vector<fastopt_tensor> tensors;
  for (const auto& member : tensors_.members()) {
    auto& tensor = tensors.emplace_back();
    tensor.size = member.param.numel();
    tensor.group = member.group;
  }
  std::vector<fastopt_program> programs;
  for (const auto& nodes : pipeline_.programs)
    programs.push_back({nodes.data(), static_cast<int64_t>(nodes.size())});
  const auto half = pipeline_.bfloat16_state ? FASTOPT_BFLOAT16 : FASTOPT_FLOAT32;
  const auto dtype = tensors_.dtype();
  fastopt_plan_options options{};
  options.dtype = *fused_dtype(dtype);
  options.state_dtype = dtype == at::kDouble ? FASTOPT_FLOAT64 : half;
  options.callbacks = callbacks.data();
  options.callback_count = static_cast<int64_t>(callbacks.size());
  options.programs = programs.data();
  options.program_count = static_cast<int64_t>(programs.size());
  options.tensors = tensors.data();
  options.tensor_count = static_cast<int64_t>(tensors.size());
  auto reason = DevicePlan::make(options, tensors_.device(), plan);
  found = plan.get();
  return reason;
}

std::string FusedPlan::find_passes(uint32_t extras, Passes& passes) {
  const uint32_t averages = extras & (kAverageWeights | kRestoreSlow);
  auto reason = kernels_for(kExtras | extras, passes.callbacks);
  if (reason.empty() && extras != averages) reason = kernels_for(extras, passes.graded);
  if (reason.empty() && averages != 0) reason = kernels_for(averages, passes.ungraded);
  return reason;
}

std::string FusedPlan::step(const fastopt_hypers* hypers, fastopt_counters* counters,
                            const uint8_t* active, uint32_t extras, const at::Tensor& skip) {
  if (held_ && held_->extras != extras) return "the device counts steps of another kind";
  if (skip.defined() && !held_) return "the counters are on the host";
  if (skip.defined() &&
      (skip.device() != tensors_.device() || skip.scalar_type() != at::kFloat || skip.numel() != 1))
    return "what a step is skipped by is no number of float32 on " + tensors_.device().str();
  const auto* found_inf = skip.defined() ? skip.const_data_ptr<float>() : nullptr;
  Passes passes;
  auto reason = find_passes(extras, passes);
  if (reason.empty()) reason = gather(passes, active, extras);
  if (reason.empty()) reason = passes.callbacks->step(hypers, counters, found_inf);
  if (!reason.empty()) return reason;
  for (auto* plan : {passes.graded, passes.ungraded}) {
    if (plan != nullptr) reason = plan->step(hypers, counters, found_inf);
    // Not to be returned: the callbacks would do all of it once more.
    if (!reason.empty()) throw std::runtime_error("Optimizer.step: stopped half-way, as " + reason);
  }
  announce(passes, extras);
  return {};
}

bool FusedPlan::writes_grad(uint32_t extras) const {
  return writes_grad_ || (extras & (kScaleGrad | kZeroGrad)) != 0;
}

// The averaged weights are the last state.
Range FusedPlan::states_of(uint32_t extras, bool callbacks) const {
  const size_t count = pipeline_.states.size(), own = count - (pipeline_.averages ? 1 : 0);
  const bool averages = (extras & (kAverageWeights | kRestoreSlow)) != 0;
  return {callbacks ? 0 : own, averages ? count : own};
}

std::string FusedPlan::gather(const Passes& passes, const uint8_t* active, uint32_t extras) {
  if (writes_grad(extras)) {
    auto reason = tensors_.unwritable_gradients((extras & kZeroGrad) != 0);
    if (!reason.empty()) return reason;
  }
  const auto tensors_in = [](DevicePlan* plan) { return plan ? plan->tensors() : nullptr; };
  auto* stepped = passes.callbacks->tensors();
  auto reason = tensors_.gather(stepped, active, states_of(extras, true));
  if (!reason.empty() || extras == 0) return reason;
  return tensors_.gather_rest(stepped, states_of(extras, false), tensors_in(passes.graded),
                              tensors_in(passes.ungraded));
}

void FusedPlan::announce(const Passes& passes, uint32_t extras) const {
  const auto [callbacks, graded, ungraded] = passes;
  const auto rest = states_of(extras, false);
  const bool restores = (extras & kRestoreSlow) != 0;
  tensors_.announce(callbacks->tensors(), states_of(extras, true), true, writes_grad(extras));
  if (graded) tensors_.announce(graded->tensors(), rest, restores, true);
  if (ungraded) tensors_.announce(ungraded->tensors(), rest, restores, false);
}

}  // namespace fastopt::optim
