#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "optim/fused_device.h"
#include "optim/fused_tensors.h"

namespace fastopt::optim {

// What the kernels do to each parameter.
struct Pipeline {
  std::vector<int32_t> callbacks;  // of `fastopt_callback`, or FASTOPT_PROGRAM + i
  std::vector<std::vector<fastopt_node>> programs;
  std::vector<StateUse> states;
  bool averages;        // the last state is averaged weights, for `Extra` alone
  bool bfloat16_state;  // of averages, where parameters are not float64
};

// What a step does to all gradients and weights besides, frozen or not, in the same pass.
enum Extra : uint32_t {
  kScaleGrad = 1,       // before the callbacks
  kAverageWeights = 2,  // after them
  kRestoreSlow = 4,
  kZeroGrad = 8,
  kExtras = 16
};

class FusedPlan;
using FusedPlanPtr = std::shared_ptr<FusedPlan>;

// An optimizer's tensors in one plan of the fused kernels.
class FusedPlan {
 public:
  // Makes a plan, or says why there can be none.
  static std::string make(Pipeline pipeline, std::vector<Member> members, FusedPlanPtr& plan);

  size_t size() const { return tensors_.size(); }
  size_t groups() const { return groups_; }
  // How often a step without extras passes over memory.
  int32_t passes() const { return plans_[kExtras]->passes(); }

  // Steps the tensors that are `active` and have a gradient, and returns nothing; or says why the
  // kernels can't, and has changed nothing. `hypers` by group, `counters` and `active` by tensor,
  // `extras` of `Extra`. Where the device counts, the step does nothing if the number `skip` there
  // isn't 0; it may be undefined.
  std::string step(const fastopt_hypers* hypers, fastopt_counters* counters, const uint8_t* active,
                   uint32_t extras, const at::Tensor& skip);

  // The norm of all gradients taken together; nothing where one lies otherwise than the kernels
  // expect.
  std::optional<double> grad_norm() const { return tensors_.grad_norm(); }

  // ---- Steps that the device counts, which a graph can hold (fused_capture.cpp) ----

  // Gives the counters to the device for steps with these extras: from then on `step` leaves its
  // `counters` alone.
  std::string hold(uint32_t extras, const fastopt_counters* counters);
  // Hears that the last of these steps was recorded.
  void note_recorded();
  // Writes what the recorded step reads when a graph replays it, and tells autograd what that will
  // write; or says why it would no longer be the step that is due.
  std::string prepare_replay(const fastopt_hypers* hypers, const uint8_t* active);
  // Copies the device's counters, and waits for them.
  std::string read_counters(fastopt_counters* counters);
  // Takes them back.
  std::string release(fastopt_counters* counters);

 private:
  // What a step is made of: the callbacks, and for what these leave alone the extras alone, with
  // gradients and without. Those that a step has no need of are null.
  struct Passes {
    DevicePlan *callbacks = nullptr, *graded = nullptr, *ungraded = nullptr;
  };

  std::string kernels_for(uint32_t parts, DevicePlan*& found);
  std::string find_passes(uint32_t extras, Passes& passes);
  bool writes_grad(uint32_t extras) const;
  Range states_of(uint32_t extras, bool callbacks) const;
  // Finds all tensors of a step, or says which the kernels can't take.
  std::string gather(const Passes& passes, const uint8_t* active, uint32_t extras);
  // Tells autograd what the step writes.
  void announce(const Passes& passes, uint32_t extras) const;

  Pipeline pipeline_;
  FusedTensors tensors_;
  size_t groups_ = 0;
  bool writes_grad_ = false;
  // Whose counters the device has.
  struct Held {
    Passes passes;
    uint32_t extras;
  };
  std::optional<Held> held_;
  // Where the recorded step found its tensors, pass by pass.
  std::vector<fastopt_tensor> recorded_;
  std::vector<fastopt_tensor> tables_of(const Passes& passes) const;

  // By `Extra`, and kExtras for the callbacks; made when they are first asked for.
  std::array<std::unique_ptr<DevicePlan>, 2 * kExtras> plans_;
};

}  // namespace fastopt::optim
