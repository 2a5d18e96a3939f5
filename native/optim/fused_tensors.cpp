#include "optim/fused_tensors.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstddef>
#include <unordered_set>

#include "core/names.h"
#include "optim/grad_norm.h"

namespace fastopt::optim {
namespace {

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

C10_NOINLINE bool same_strides(const c10::TensorImpl& a, const c10::TensorImpl& b) {
  return a.sizes() == b.sizes() && a.strides() == b.strides();
}

C10_ALWAYS_INLINE bool is_contiguous(const c10::TensorImpl& tensor) {
  return tensor.is_contiguous_default(at::MemoryFormat::Contiguous);
}

C10_ALWAYS_INLINE void* address(const c10::TensorImpl& tensor, int64_t item_size) {
  return static_cast<char*>(tensor.unsafe_storage().mutable_data()) +
         tensor.storage_offset() * item_size;
}

inline const void* memory_of(const c10::TensorImpl& tensor) {
  return tensor.unsafe_storage().unsafeGetStorageImpl();
}

inline void count_write(c10::TensorImpl& tensor) {
  if (tensor.version_counter().enabled()) tensor.bump_version();  // inference tensors have none
}

}  // namespace

std::string FusedTensors::take(std::vector<Member> members, const std::vector<StateUse>& states,
                               bool bfloat16_state) {
  dtype_ = members[0].param.scalar_type();
  device_ = members[0].param.device();
  std::unordered_set<const void*> storages;
  const auto is_apart = [&](const at::Tensor& tensor) {
    return !tensor.defined() || tensor.numel() == 0 || tensor.layout() != at::kStrided ||
           storages.insert(tensor.storage().unsafeGetStorageImpl()).second;
  };
  for (const auto& member : members) {
    const auto& param = member.param;
    if (param.device() != device_)
      return "parameters are on " + device_.str() + " and " + param.device().str();
    if (param.layout() != at::kStrided) return "a parameter is sparse";
    if (!is_apart(param) || !std::all_of(member.states.begin(), member.states.end(), is_apart))
      return "two parameters or states share memory";
    for (size_t k = 0; k < states.size(); ++k) {
      const auto& state = member.states[k];
      if (state.defined() && !states[k].scalar && state.sizes() != param.sizes())
        return "a state, " + describe(state) + ", has another shape than its parameter";
    }
  }
  members_ = std::move(members);
  plain_ = at::empty({0}, at::device(device_).dtype(at::kFloat)).key_set();
  type_ = c10::scalarTypeToTypeMeta(dtype_);
  item_size_ = static_cast<int64_t>(type_.itemsize());
  for (const auto& [array, scalar, written] : states) {
    const bool half = bfloat16_state && !scalar && array != FASTOPT_SLOW;
    const auto dtype = dtype_ == at::kDouble ? at::kDouble : half ? at::kBFloat16 : at::kFloat;
    const auto type = c10::scalarTypeToTypeMeta(dtype);
    columns_.push_back(
        {offset_of(array), static_cast<int64_t>(type.itemsize()), type, scalar, written});
  }
  for (const auto& member : members_) {
    params_.push_back(member.param.unsafeGetTensorImpl());
    for (const auto& state : member.states) states_.push_back(state.unsafeGetTensorImpl());
  }
  return {};
}

std::string FusedTensors::why_not(size_t i, int64_t planned, Range states) const {
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
    const auto& column = columns_[k];
    if (!state.defined()) return "a parameter has no state yet";
    const bool fits = column.scalar ? is_number(state, device_) : same_layout(state, param);
    if (state.dtype() != column.type || !fits) {
      return "a state, " + describe(state) + ", lies otherwise in memory than its parameter";
    }
    if (grad.defined() && state.is_alias_of(grad)) return "a gradient shares memory with a state";
  }
  return {};
}

// Writes where the arrays of a tensor lie, if what `why_not` checks holds as it does for most
// tensors; false is no verdict. Of what is contiguous the order is known, whatever its shape; so
// the shape of a state is compared when the plan is made.
C10_ALWAYS_INLINE bool FusedTensors::fill_plain(size_t i, const c10::TensorImpl& grad, Range states,
                                                fastopt_tensor& tensor) const {
  const auto& param = *params_[i];
  const auto* memory = memory_of(grad);
  const auto size = tensor.size;
  const auto plain = plain_;
  const bool on_cpu = device_.is_cpu();
  const bool in_order = is_contiguous(param);
  const auto is_plain = [=, this](const c10::TensorImpl& other, caffe2::TypeMeta type,
                                  int64_t numel) C10_ALWAYS_INLINE_ATTRIBUTE {
    return other.key_set() == plain && other.dtype() == type && other.numel() == numel &&
           (on_cpu || other.device() == device_);
  };
  const auto fits = [=, &param](const c10::TensorImpl& other, caffe2::TypeMeta type)
                        C10_ALWAYS_INLINE_ATTRIBUTE {
                          return is_plain(other, type, size) &&
                                 (in_order ? is_contiguous(other) : same_strides(other, param));
                        };
  if (size == 0 || !fits(param, type_) || !fits(grad, type_) || memory == memory_of(param) ||
      !param.is_non_overlapping_and_dense_default())
    return false;
  tensor.param = address(param, item_size_);
  tensor.grad = address(grad, item_size_);
  auto* const* own = states_.data() + i * columns_.size();
  const auto* column = columns_.data() + states.first;
  for (auto k = states.first; k < states.last; ++k, ++column) {
    const auto& state = *own[k];
    const bool fine = column->scalar ? is_plain(state, column->type, 1) : fits(state, column->type);
    if (!fine || memory_of(state) == memory) return false;
    array_at(tensor, column->array) = address(state, column->item_size);
  }
  return true;
}

void FusedTensors::fill(size_t i, const at::Tensor& grad, Range states,
                        fastopt_tensor& tensor) const {
  tensor.param = address(*params_[i], item_size_);
  // A tensor without gradient is in a pass that reads none, an empty one has no address: neither is
  // to be left out.
  tensor.grad = tensor.size == 0 ? &tensor
                : grad.defined() ? address(*grad.unsafeGetTensorImpl(), item_size_)
                                 : tensor.param;
  const auto* own = states_.data() + i * columns_.size();
  for (auto k = states.first; k < states.last; ++k)
    array_at(tensor, columns_[k].array) = address(*own[k], columns_[k].item_size);
}

std::string FusedTensors::gather(fastopt_tensor* tensors, const uint8_t* active, Range states) {
  for (size_t i = 0; i < params_.size(); ++i) {
    auto& tensor = tensors[i];
    tensor.grad = nullptr;
    if (active[i] == 0) continue;
    const auto& grad = params_[i]->grad();
    if (!grad.defined()) continue;
    if (!fill_plain(i, *grad.unsafeGetTensorImpl(), states, tensor)) {
      if (auto reason = why_not(i, tensor.size, states); !reason.empty()) return reason;
      fill(i, grad, states, tensor);
    }
  }
  return {};
}

std::string FusedTensors::gather_rest(const fastopt_tensor* stepped, Range states,
                                      fastopt_tensor* graded, fastopt_tensor* ungraded) {
  for (size_t i = 0; i < params_.size(); ++i) {
    for (auto* tensors : {graded, ungraded})
      if (tensors != nullptr) tensors[i].grad = nullptr;
    const auto& grad = params_[i]->grad();
    const bool writes_grad = grad.defined() && graded != nullptr;
    auto* tensors = writes_grad ? graded : ungraded;
    if (stepped[i].grad != nullptr || tensors == nullptr) continue;
    if (auto reason = why_not(i, tensors[i].size, states); !reason.empty()) return reason;
    fill(i, grad, states, tensors[i]);
  }
  return {};
}

void FusedTensors::announce(const fastopt_tensor* tensors, Range states, bool param,
                            bool grad) const {
  for (size_t i = 0; i < params_.size(); ++i) {
    if (tensors[i].grad == nullptr) continue;
    if (param) count_write(*params_[i]);
    auto* const* own = states_.data() + i * columns_.size();
    for (auto k = states.first; k < states.last; ++k)
      if (columns_[k].written) count_write(*own[k]);
    if (grad) count_write(*params_[i]->grad().unsafeGetTensorImpl());
  }
}

// Two threads may have gradients that overlap.
std::string FusedTensors::unwritable_gradients(bool zeroed) {
  auto& ranges = ranges_;
  ranges.clear();
  for (const auto* param : params_) {
    const auto& grad = param->grad();
    if (!grad.defined() || grad.device() != device_ || grad.layout() != at::kStrided) continue;
    if (zeroed && grad.requires_grad()) return "a gradient has a graph of its own";
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

std::optional<double> FusedTensors::grad_norm() const {
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
