#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "optim/fused/fused.h"

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
  static std::string make(const Pipeline& pipeline, std::vector<Member> members,
                          FusedPlanPtr& plan);

  size_t size() const { return members_.size(); }
  size_t groups() const { return groups_; }

  // Steps the tensors that are `active` and have a gradient, and returns nothing; or says why the
  // kernels can't, and has changed nothing. `hypers` by group, `counters` and `active` by tensor.
  std::string step(const fastopt_hypers* hypers, fastopt_counters* counters, const uint8_t* active);

 private:
  struct Destroy {
    void operator()(fastopt_plan* plan) const { fastopt_plan_destroy(plan); }
  };

  struct Touched {
    c10::TensorImpl* tensor;
    void** array;
    bool scalar, written;
  };

  void remember();
  bool surely_fits(const c10::TensorImpl& param, const c10::TensorImpl& grad,
                   const Touched* states) const;
  std::string why_not(const Member& member, int64_t planned) const;
  void announce(size_t i) const;

  std::unique_ptr<fastopt_plan, Destroy> plan_;
  std::vector<Member> members_;
  std::vector<StateUse> states_;
  size_t groups_ = 0;
  at::ScalarType dtype_ = at::kFloat, state_dtype_ = at::kFloat;
  bool writes_grad_ = false;

  // The tensors once more, as a step goes through them, and where the kernels look for the states.
  std::vector<c10::TensorImpl*> params_;
  std::vector<Touched> touched_;
  size_t uses_ = 0;
  c10::DispatchKeySet plain_;
  caffe2::TypeMeta type_, state_type_;
};

}  // namespace fastopt::optim
