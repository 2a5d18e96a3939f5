#include "bind/bind.h"
#include "glue/convert.h"
#include "optim/fused_plan.h"

namespace fastopt {
namespace {

const ArrayView array_of(const Call& call, napi_value value, napi_typedarray_type type,
                         size_t length) {
  const auto view = typed_array_of(call, value, "fusedStep");
  if (view.type != type || view.length < length) {
    throw Refusal("fusedStep: expected a TypedArray of " + std::to_string(length) +
                  " numbers, got " + std::to_string(view.length));
  }
  return view;
}

// The plan, or the reason why there can be none.
napi_value create_plan(Call& call) {
  const auto callbacks = ints_of(call, call[0], "fusedPlan");
  const auto params = tensors_of(call, call[1], "fusedPlan");
  const auto grad_avgs = tensors_of(call, call[2], "fusedPlan");
  const auto sqr_avgs = tensors_of(call, call[3], "fusedPlan");
  const auto groups = ints_of(call, call[4], "fusedPlan");
  std::vector<optim::Member> members;
  for (size_t i = 0; i < params.size(); ++i) {
    members.push_back({params[i], grad_avgs.at(i), sqr_avgs.at(i), groups.at(i)});
  }
  optim::FusedPlanPtr plan;
  const auto reason =
      optim::FusedPlan::make({callbacks.begin(), callbacks.end()}, std::move(members), plan);
  return plan ? wrap_plan(call, plan) : js_string(call, reason);
}

// Undefined, or the reason why nothing was done.
napi_value step(Call& call) {
  const auto plan = plan_of(call, call[0], "fusedStep");
  constexpr auto kHypers = sizeof(fastopt_hypers) / sizeof(double);
  constexpr auto kCounters = sizeof(fastopt_counters) / sizeof(double);
  const auto hypers = array_of(call, call[1], napi_float64_array, plan->groups() * kHypers);
  const auto counters = array_of(call, call[2], napi_float64_array, plan->size() * kCounters);
  const auto active = array_of(call, call[3], napi_uint8_array, plan->size());
  const auto reason = plan->step(static_cast<const fastopt_hypers*>(hypers.data),
                                 static_cast<fastopt_counters*>(counters.data),
                                 static_cast<const uint8_t*>(active.data));
  return reason.empty() ? call.undefined() : js_string(call, reason);
}

napi_value dispose(Call& call) {
  dispose_plan(call, call[0]);
  return call.undefined();
}

}  // namespace

const Functions& fused_functions() {
  static const Functions functions{
      {"fusedPlan", guarded<create_plan>},
      {"fusedStep", guarded<step>},
      {"fusedDispose", guarded<dispose>},
  };
  return functions;
}

}  // namespace fastopt
