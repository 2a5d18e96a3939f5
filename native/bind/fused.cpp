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

// Rows of six numbers: code, a, b, c, index, value.
std::vector<fastopt_node> nodes_of(const Call& call, napi_value value) {
  const auto view = typed_array_of(call, value, "fusedPlan");
  constexpr size_t kRow = 6;
  if (view.type != napi_float64_array || view.length % kRow != 0)
    throw Refusal("fusedPlan: expected a program of six numbers a node in a Float64Array");
  std::vector<fastopt_node> nodes(view.length / kRow);
  const auto* row = static_cast<const double*>(view.data);
  for (auto& node : nodes) {
    const auto field = [&row] { return static_cast<int32_t>(*row++); };
    node = {field(), field(), field(), field(), field(), *row++};
  }
  return nodes;
}

// Three numbers a state: array, scalar, written.
std::vector<optim::StateUse> states_of(const Call& call, napi_value value) {
  const auto numbers = ints_of(call, value, "fusedPlan");
  std::vector<optim::StateUse> states;
  for (size_t i = 0; i + 2 < numbers.size(); i += 3) {
    const auto array = numbers[i];
    if (array <= FASTOPT_GRAD || array >= int64_t{FASTOPT_OWN} + FASTOPT_OWN_STATES)
      throw Refusal("fusedPlan: expected the number of a state's array, got " +
                    std::to_string(array));
    states.push_back({static_cast<int32_t>(array), numbers[i + 1] != 0, numbers[i + 2] != 0});
  }
  return states;
}

// The plan, or the reason why there can be none.
napi_value create_plan(Call& call) {
  const auto callbacks = ints_of(call, call[0], "fusedPlan");
  optim::Pipeline pipeline{{callbacks.begin(), callbacks.end()},
                           {},
                           states_of(call, call[2]),
                           bool_of(call, call[6], "fusedPlan"),
                           bool_of(call, call[7], "fusedPlan")};
  for (size_t i = 0; i < length_of(call, call[1]); ++i)
    pipeline.programs.push_back(nodes_of(call, element(call, call[1], i)));
  const auto params = tensors_of(call, call[3], "fusedPlan");
  const auto tensors = tensors_of(call, call[4], "fusedPlan");
  const auto groups = ints_of(call, call[5], "fusedPlan");
  const auto count = pipeline.states.size();
  if (pipeline.averages && count == 0) throw Refusal("fusedPlan: expected averaged weights");
  if (tensors.size() != params.size() * count || groups.size() != params.size())
    throw Refusal("fusedPlan: expected a group and all states for each parameter");
  std::vector<optim::Member> members;
  for (size_t i = 0; i < params.size(); ++i) {
    const auto begin = tensors.begin() + static_cast<ptrdiff_t>(i * count);
    members.push_back({params[i], {begin, begin + static_cast<ptrdiff_t>(count)}, groups[i]});
  }
  optim::FusedPlanPtr plan;
  const auto reason = optim::FusedPlan::make(std::move(pipeline), std::move(members), plan);
  return plan ? wrap_plan(call, plan) : js_string(call, reason);
}

const fastopt_hypers* hypers_of(const Call& call, napi_value value, const optim::FusedPlan& plan) {
  constexpr auto kNumbers = sizeof(fastopt_hypers) / sizeof(double);
  const auto view = array_of(call, value, napi_float64_array, plan.groups() * kNumbers);
  return static_cast<const fastopt_hypers*>(view.data);
}

fastopt_counters* counters_of(const Call& call, napi_value value, const optim::FusedPlan& plan) {
  constexpr auto kNumbers = sizeof(fastopt_counters) / sizeof(double);
  const auto view = array_of(call, value, napi_float64_array, plan.size() * kNumbers);
  return static_cast<fastopt_counters*>(view.data);
}

const uint8_t* active_of(const Call& call, napi_value value, const optim::FusedPlan& plan) {
  return static_cast<const uint8_t*>(array_of(call, value, napi_uint8_array, plan.size()).data);
}

uint32_t extras_of(const Call& call, napi_value value) {
  const auto extras = int_of(call, value, "fusedStep");
  if (extras < 0 || extras >= optim::kExtras)
    throw Refusal("fusedStep: expected extras below 16, got " + std::to_string(extras));
  return static_cast<uint32_t>(extras);
}

// Undefined, or the reason why nothing was done.
napi_value js_reason(const Call& call, const std::string& reason) {
  return reason.empty() ? call.undefined() : js_string(call, reason);
}

napi_value passes(Call& call) {
  return js_number(call, plan_of(call, call[0], "fusedPasses")->passes());
}

napi_value step(Call& call) {
  const auto plan = plan_of(call, call[0], "fusedStep");
  return js_reason(call,
                   plan->step(hypers_of(call, call[1], *plan), counters_of(call, call[2], *plan),
                              active_of(call, call[3], *plan), extras_of(call, call[4]),
                              optional_tensor_of(call, call[5], "fusedStep")));
}

napi_value hold(Call& call) {
  const auto plan = plan_of(call, call[0], "fusedHold");
  return js_reason(call, plan->hold(extras_of(call, call[1]), counters_of(call, call[2], *plan)));
}

napi_value note_recorded(Call& call) {
  plan_of(call, call[0], "fusedNoteRecorded")->note_recorded();
  return call.undefined();
}

napi_value prepare_replay(Call& call) {
  const auto plan = plan_of(call, call[0], "fusedPrepareReplay");
  return js_reason(
      call, plan->prepare_replay(hypers_of(call, call[1], *plan), active_of(call, call[2], *plan)));
}

napi_value read_counters(Call& call) {
  const auto plan = plan_of(call, call[0], "fusedReadCounters");
  auto* counters = counters_of(call, call[1], *plan);
  const bool for_good = bool_of(call, call[2], "fusedReadCounters");
  return js_reason(call, for_good ? plan->release(counters) : plan->read_counters(counters));
}

// Undefined where the gradients are not all alike.
napi_value grad_norm(Call& call) {
  const auto norm = plan_of(call, call[0], "fusedGradNorm")->grad_norm();
  return norm ? js_number(call, *norm) : call.undefined();
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
      {"fusedHold", guarded<hold>},
      {"fusedNoteRecorded", guarded<note_recorded>},
      {"fusedPrepareReplay", guarded<prepare_replay>},
      {"fusedReadCounters", guarded<read_counters>},
      {"fusedPasses", guarded<passes>},
      {"fusedGradNorm", guarded<grad_norm>},
      {"fusedDispose", guarded<dispose>},
  };
  return functions;
}

}  // namespace fastopt
