#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "optim/fused/fused.h"

namespace fastopt::optim {

// A state that the callbacks touch.
struct StateUse {
  int32_t array;  // of `fastopt_array`
  bool scalar;    // one element for the whole parameter
  bool written;
};

// One tensor of an optimizer, with its states in the order of the plan's; those that it has not got
// are undefined.
struct Member {
  at::Tensor param;
  std::vector<at::Tensor> states;
  int64_t group;
};

// Which of a tensor's states a pass touches, by their positions.
struct Range {
  size_t first, last;
};

// The tensors of a plan. Between two steps a user may give any of them other memory, another shape,
// another gradient: each step looks at all of them again.
class FusedTensors {
 public:
  // Takes the tensors, or says why no kernel can step them, whatever becomes of them.
  std::string take(std::vector<Member> members, const std::vector<StateUse>& states,
                   bool bfloat16_state);

  const std::vector<Member>& members() const { return members_; }
  size_t size() const { return params_.size(); }
  at::ScalarType dtype() const { return dtype_; }
  at::Device device() const { return device_; }

  // Writes where the tensors lie that are `active` and have a gradient, and leaves the others
  // without one; or says why the kernels can't step one.
  std::string gather(fastopt_tensor* tensors, const uint8_t* active, Range states);
  // The same for all that `stepped` leaves alone, those with a gradient in `graded`, the others in
  // `ungraded`; a list that isn't there takes none.
  std::string gather_rest(const fastopt_tensor* stepped, Range states, fastopt_tensor* graded,
                          fastopt_tensor* ungraded);
  // Tells autograd, which knows nothing of raw writes and would go on with spoilt values, what has
  // been written: the states of these tensors, and parameters and gradients where it says so.
  void announce(const fastopt_tensor* tensors, Range states, bool param, bool grad) const;
  // Says why gradients can't be written, one after the other.
  std::string unwritable_gradients(bool zeroed);

  // The norm of all gradients taken together; nothing where one lies otherwise than the kernels
  // expect.
  std::optional<double> grad_norm() const;

 private:
  // What is the same for the nth state of all tensors.
  struct Column {
    size_t array;  // where its address is in `fastopt_tensor`
    int64_t item_size;
    caffe2::TypeMeta type;
    bool scalar, written;
  };

  std::string why_not(size_t i, int64_t planned, Range states) const;
  bool fill_plain(size_t i, const c10::TensorImpl& grad, Range states,
                  fastopt_tensor& tensor) const;
  void fill(size_t i, const at::Tensor& grad, Range states, fastopt_tensor& tensor) const;

  std::vector<Member> members_;
  at::ScalarType dtype_ = at::kFloat;
  at::Device device_ = at::kCPU;

  // The tensors once more, as a step goes through them.
  std::vector<c10::TensorImpl*> params_, states_;
  std::vector<Column> columns_;
  c10::DispatchKeySet plain_;
  caffe2::TypeMeta type_;
  int64_t item_size_ = 0;
  // Where the gradients are, and where they were when they were last seen to lie apart.
  std::vector<std::pair<const char*, const char*>> ranges_, gradients_;
};

}  // namespace fastopt::optim
