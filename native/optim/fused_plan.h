#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "optim/fused_device.h"

namespace fastopt::optim {

// A state that the callbacks touch.
struct StateUse {
  int32_t array;  // of `fastopt_array`
  bool scalar;    // one element for the whole parameter
  bool written;
};

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

// One tensor of an optimizer, with its states in the order of the pipeline's; those that it has not
// got are undefined.
struct Member {
  at::Tensor param;
  std::vector<at::Tensor> states;
  int64_t group;
};

class FusedPlan;
using FusedPlanPtr = std::shared_ptr<FusedPlan>;

// An optimizer's tensors in one plan of the fused kernels.
class FusedPlan {
 public:
  // Makes a plan, or says why there can be none.
  static std::string make(Pipeline pipeline, std::vector<Member> members, FusedPlanPtr& plan);

  size_t size() const { return members_.size(); }
  size_t groups() const { return groups_; }
  // How often a step without extras passes over memory.
  int32_t passes() const { return plans_[kExtras]->passes(); }

  // Steps the tensors that are `active` and have a gradient, and returns nothing; or says why the
  // kernels can't, and has changed nothing. `hypers` by group, `counters` and `active` by tensor,
  // `extras` of `Extra`.
  std::string step(const fastopt_hypers* hypers, fastopt_counters* counters, const uint8_t* active,
                   uint32_t extras);

  // The norm of all gradients taken together; nothing where one lies otherwise than the kernels
  // expect.
  std::optional<double> grad_norm() const;

  // ---- Steps that the device counts, which a graph can hold (fused_capture.cpp) ----

  // Gives the counters to the device for steps with these extras: from then on `step` leaves its
  // `counters` alone. A step does nothing where the number `skip` on the device isn't 0.
  std::string hold(uint32_t extras, const fastopt_counters* counters, const at::Tensor& skip);
  // Writes what the last of these steps reads when a graph replays it, and tells autograd what that
  // will write; or says why it would no longer be the step that is due.
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
  struct Touched {
    c10::TensorImpl* tensor;
    size_t array;  // where its address is in `fastopt_tensor`
    caffe2::TypeMeta type;
    bool scalar, written;
  };
  // Which of a tensor's states a pass touches, by their positions.
  struct Range {
    size_t first, last;
  };

  void remember();
  std::string kernels_for(uint32_t parts, DevicePlan*& found);
  std::string find_passes(uint32_t extras, Passes& passes);
  std::string gather_all(const Passes& passes, const uint8_t* active, uint32_t extras);
  bool surely_fits(size_t i, const c10::TensorImpl& grad, Range states) const;
  std::string why_not(size_t i, int64_t planned, Range states) const;
  std::string unfit_gradients(uint32_t extras);
  void fill(size_t i, const at::Tensor& grad, Range states, fastopt_tensor& tensor) const;
  template <bool taken_back>
  void announce(size_t i, Range states, bool param, bool grad) const;
  std::string gather(fastopt_tensor* tensors, const uint8_t* active, Range states,
                     bool writes_grad);
  std::string gather_rest(const fastopt_tensor* stepped, Range states, bool restores,
                          DevicePlan* graded, DevicePlan* ungraded);

  Pipeline pipeline_;
  std::vector<Member> members_;
  size_t groups_ = 0;
  at::ScalarType dtype_ = at::kFloat;
  at::Device device_ = at::kCPU;
  bool writes_grad_ = false;
  // Whose counters the device has.
  struct Held {
    Passes passes;
    uint32_t extras;
    at::Tensor skip;
  };
  std::optional<Held> held_;
  // Where the last step with counters on the device found its tensors, pass by pass.
  std::vector<fastopt_tensor> recorded_;
  std::vector<fastopt_tensor> tables_of(const Passes& passes) const;

  // By `Extra`, and kExtras for the callbacks; made when they are first asked for.
  std::array<std::unique_ptr<DevicePlan>, 2 * kExtras> plans_;

  // The tensors once more, as a step goes through them.
  std::vector<c10::TensorImpl*> params_;
  std::vector<Touched> touched_;
  size_t stride_ = 0,
         uses_ = 0;  // how many states a tensor has, with the averaged weights and without
  c10::DispatchKeySet plain_;
  caffe2::TypeMeta type_;
  // Where the gradients are, and where they were when they were last seen to lie apart.
  std::vector<std::pair<const char*, const char*>> ranges_, gradients_;
};

}  // namespace fastopt::optim
