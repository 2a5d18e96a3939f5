#include "optim/fused_device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "core/cuda.h"
#include "optim/fused/cuda/fused_cuda.h"
#include "optim/fused/cuda/library.h"

namespace fastopt::optim {
namespace {

// A `fastopt_parallel` on libtorch's own threads, so that there is one pool.
void on_libtorch_threads(void*, void (*task)(void*), void* context) {
  at::parallel_for(0, at::get_num_threads(), 1, [=](int64_t begin, int64_t end) {
    for (; begin < end; ++begin) task(context);
  });
}

class CpuPlan : public DevicePlan {
 public:
  CpuPlan(fastopt_plan* plan, int64_t size) : plan_(plan), size_(static_cast<size_t>(size)) {}
  ~CpuPlan() override { fastopt_plan_destroy(plan_); }
  CpuPlan(const CpuPlan&) = delete;

  int32_t passes() const override { return fastopt_plan_passes(plan_); }
  fastopt_tensor* tensors() override { return fastopt_plan_tensors(plan_); }
  std::string step(const fastopt_hypers* hypers, fastopt_counters* counters,
                   const float* found_inf) override {
    if (found_inf != nullptr && *found_inf != 0) return {};
    auto* counted = held_.empty() ? counters : held_.data();
    fastopt_plan_step(plan_, hypers, counted, on_libtorch_threads, nullptr);
    return {};
  }

  std::string hold(const fastopt_counters* counters) override {
    held_.assign(counters, counters + size_);
    return {};
  }
  std::string set_hypers(const fastopt_hypers*) override { return {}; }
  std::string read_counters(fastopt_counters* counters) override {
    std::copy(held_.begin(), held_.end(), counters);
    return {};
  }
  void release() override { held_.clear(); }

 private:
  fastopt_plan* plan_;
  size_t size_;
  std::vector<fastopt_counters> held_;
};

class GpuPlan : public DevicePlan {
 public:
  GpuPlan(fastopt_cuda_plan* plan, c10::DeviceIndex device) : plan_(plan), device_(device) {}
  ~GpuPlan() override { fastopt_cuda_plan_destroy(plan_); }
  GpuPlan(const GpuPlan&) = delete;

  int32_t passes() const override { return fastopt_cuda_plan_passes(plan_); }
  fastopt_tensor* tensors() override { return fastopt_cuda_plan_tensors(plan_); }
  std::string step(const fastopt_hypers* hypers, fastopt_counters* counters,
                   const float* found_inf) override {
    return said(fastopt_cuda_plan_step(plan_, hypers, counters, found_inf, stream()));
  }

  std::string hold(const fastopt_counters* counters) override {
    return said(fastopt_cuda_plan_hold_counters(plan_, counters, stream()));
  }
  std::string set_hypers(const fastopt_hypers* hypers) override {
    return said(fastopt_cuda_plan_set_hypers(plan_, hypers, stream()));
  }
  std::string read_counters(fastopt_counters* counters) override {
    return said(fastopt_cuda_plan_read_counters(plan_, counters, stream()));
  }
  void release() override { fastopt_cuda_plan_release_counters(plan_); }

 private:
  static std::string said(const char* reason) { return reason ? reason : ""; }
  void* stream() const { return cuda::current_stream(device_).native_handle(); }

  fastopt_cuda_plan* plan_;
  c10::DeviceIndex device_;
};

// Where NVRTC lies that came with this libtorch: beside it in Python's packages, of CUDA 13 or 12,
// or in its own folder.
std::string nvrtc_folders() {
  const auto own = fused::folder_of(reinterpret_cast<void*>(&at::globalContext));
  const auto packages = own + "/../../nvidia/";
  return packages + "cu13/lib:" + packages + "cuda_nvrtc/lib:" + own;
}

}  // namespace

std::string DevicePlan::make(const fastopt_plan_options& options, c10::Device device,
                             std::unique_ptr<DevicePlan>& made) {
  if (device.is_cpu()) {
    fastopt_plan* plan = nullptr;
    if (const char* reason = fastopt_plan_create(&options, &plan)) return reason;
    made = std::make_unique<CpuPlan>(plan, options.tensor_count);
  } else if (device.is_cuda()) {
    const auto folders = nvrtc_folders();
    const fastopt_cuda_options where{device.index(), folders.c_str(), nullptr};
    fastopt_cuda_plan* plan = nullptr;
    if (const char* reason = fastopt_cuda_plan_create(&options, &where, &plan)) return reason;
    made = std::make_unique<GpuPlan>(plan, device.index());
  } else {
    return "there are no kernels for " + device.str();
  }
  return {};
}

}  // namespace fastopt::optim
