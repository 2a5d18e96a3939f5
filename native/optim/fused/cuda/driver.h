// A GPU behind the CUDA driver, which is looked for at run time.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "optim/fused/cuda/gpu.h"

namespace fastopt::fused {

class CudaDevice;
using CudaDevicePtr = std::shared_ptr<const CudaDevice>;

// The device of this number, in the context that the CUDA runtime and libtorch use. Throws Refused.
CudaDevicePtr open_device(int32_t number);

// Its compute capability: 90 for 9.0.
int arch_of(const CudaDevice& device);

// A device with these kernels, of machine code or PTX.
std::unique_ptr<Gpu> make_gpu(CudaDevicePtr device, const std::string& code,
                              const std::vector<std::string>& kernels);

}  // namespace fastopt::fused
