#include <algorithm>
#include <cstring>

#include "optim/fused_plan.h"

namespace fastopt::optim {

std::string FusedPlan::hold(uint32_t extras, const fastopt_counters* counters) {
  Passes passes;
  if (auto reason = find_passes(extras, passes); !reason.empty()) return reason;
  held_ = Held{passes, extras};
  std::string reason;
  for (auto* plan : {passes.callbacks, passes.graded, passes.ungraded})
    if (plan != nullptr && reason.empty()) reason = plan->hold(counters);
  if (!reason.empty()) release(nullptr);
  return reason;
}

void FusedPlan::note_recorded() {
  if (held_) recorded_ = tables_of(held_->passes);
}

std::string FusedPlan::prepare_replay(const fastopt_hypers* hypers, const uint8_t* active) {
  if (!held_) return "the counters are on the host";
  const auto& passes = held_->passes;
  if (auto reason = gather(passes, active, held_->extras); !reason.empty()) return reason;
  const auto tables = tables_of(passes);
  // Without padding: sizes and addresses alone.
  const bool same =
      tables.size() == recorded_.size() &&
      std::memcmp(tables.data(), recorded_.data(), tables.size() * sizeof(fastopt_tensor)) == 0;
  if (!same) return "a parameter, gradient or state is elsewhere than in the graph";
  std::string reason;
  for (auto* plan : {passes.callbacks, passes.graded, passes.ungraded})
    if (plan != nullptr && reason.empty()) reason = plan->set_hypers(hypers);
  if (reason.empty()) announce(passes, held_->extras);
  return reason;
}

std::vector<fastopt_tensor> FusedPlan::tables_of(const Passes& passes) const {
  std::vector<fastopt_tensor> tables;
  for (auto* plan : {passes.callbacks, passes.graded, passes.ungraded})
    if (plan != nullptr) tables.insert(tables.end(), plan->tensors(), plan->tensors() + size());
  return tables;
}

// The callbacks alone count.
std::string FusedPlan::read_counters(fastopt_counters* counters) {
  if (!held_) return "the counters are on the host";
  return held_->passes.callbacks->read_counters(counters);
}

std::string FusedPlan::release(fastopt_counters* counters) {
  if (!held_) return "the counters are on the host";
  auto reason = counters != nullptr ? read_counters(counters) : "";
  for (auto* plan : {held_->passes.callbacks, held_->passes.graded, held_->passes.ungraded})
    if (plan != nullptr) plan->release();
  held_.reset();
  return reason;
}

}  // namespace fastopt::optim
