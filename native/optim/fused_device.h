#pragma once
#include <c10/core/Device.h>

#include <memory>
#include <string>

#include "optim/fused/fused.h"

namespace fastopt::optim {

// A plan of the fused kernels on the device of its tensors: of the CPU or of a GPU.
class DevicePlan {
 public:
  // Makes one, or says why there can be none.
  static std::string make(const fastopt_plan_options& options, c10::Device device,
                          std::unique_ptr<DevicePlan>& made);
  virtual ~DevicePlan() = default;

  virtual int32_t passes() const = 0;
  virtual fastopt_tensor* tensors() = 0;
  // Steps in the order of the device's current stream, and returns nothing; or says why it can't.
  // With `found_inf`, for which the device must have the counters, as in fused_cuda.h.
  virtual std::string step(const fastopt_hypers* hypers, fastopt_counters* counters,
                           const float* found_inf) = 0;

  // Gives the counters to the device, as in fused_cuda.h, and takes them back. The CPU does so too,
  // without graphs.
  virtual std::string hold(const fastopt_counters* counters) = 0;
  virtual std::string set_hypers(const fastopt_hypers* hypers) = 0;
  virtual std::string read_counters(fastopt_counters* counters) = 0;
  virtual void release() = 0;
};

}  // namespace fastopt::optim
