// What a step does on a device: tables, scalars and the order of launches. Throws Refused.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "optim/fused/cuda/fused_cuda.h"
#include "optim/fused/cuda/gpu.h"
#include "optim/fused/cuda/source.h"

namespace fastopt::fused {

template <class T>
class GpuArray {
 public:
  GpuArray(Gpu& gpu, size_t size)
      : gpu_(gpu), data_(static_cast<T*>(gpu.allocate(size * sizeof(T)))) {}
  ~GpuArray() { gpu_.free(data_); }
  GpuArray(const GpuArray&) = delete;

  T* data() const { return data_; }
  void upload(std::span<const T> from, void* stream) {
    if (!from.empty()) gpu_.upload(data_, from.data(), from.size_bytes(), stream);
  }
  void download(std::span<T> to, void* stream) {
    if (!to.empty()) gpu_.download(to.data(), data_, to.size_bytes(), stream);
  }

 private:
  Gpu& gpu_;
  T* data_;
};

class CudaPlan {
 public:
  CudaPlan(ListOfCallbacks list, std::span<const fastopt_tensor> tensors, std::unique_ptr<Gpu> gpu);

  // As the functions of fused_cuda.h.
  int32_t passes() const { return list_.stages.passes(); }
  fastopt_tensor* tensors() { return tensors_.data(); }
  void step(const Hypers* hypers, Counters* counters, const float* found_inf, void* stream);
  void hold_counters(const Counters* counters, void* stream);
  void set_hypers(const Hypers* hypers, void* stream);
  void read_counters(Counters* counters, void* stream);
  void release_counters() { held_ = false; }

 private:
  void check_held() const;
  void check_not_captured(void* stream);
  void count(const Hypers* hypers, const Counters* counters);
  void find_rows(const Hypers* hypers);
  void upload_blocks(void* stream);
  void upload_table(bool captured, void* stream);
  void launch(const float* found_inf, void* stream);

  const ListOfCallbacks list_;
  const std::unique_ptr<Gpu> gpu_;
  std::vector<fastopt_tensor> tensors_;
  std::vector<BlockPart> blocks_;
  std::vector<DeviceTensor> table_, uploaded_;
  std::vector<Counters> counted_;
  std::vector<double> rows_;
  // Whether rows depend on hypers and counters alone: then the host computes them, once for all
  // tensors that have these in common.
  bool common_rows_;
  bool held_ = false;
  // A graph writes its own table when it is replayed, which nobody tells the plan.
  bool captured_ = false;

  GpuArray<DeviceTensor> gpu_table_;
  GpuArray<BlockPart> gpu_blocks_;
  GpuArray<double> gpu_rows_, gpu_partial_sums_, gpu_sums_;
  GpuArray<Hypers> gpu_hypers_;
  GpuArray<Counters> gpu_counters_;
  bool blocks_uploaded_ = false;
};

}  // namespace fastopt::fused
