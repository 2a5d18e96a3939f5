#include "core/cuda.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

namespace fastopt::cuda {
namespace {

c10::Device device(c10::DeviceIndex index) { return {c10::DeviceType::CUDA, index}; }

const c10::impl::DeviceGuardImplInterface& guard() {
  at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
  return *c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA);
}

}  // namespace

bool is_built() { return at::detail::getCUDAHooks().isBuilt(); }
int64_t device_count() { return at::detail::getCUDAHooks().deviceCount(); }

int64_t current_device() { return guard().getDevice().index(); }
void set_device(c10::DeviceIndex index) { guard().setDevice(device(index)); }
void synchronize(c10::DeviceIndex index) { guard().synchronizeDevice(index); }

c10::Stream current_stream(c10::DeviceIndex index) { return guard().getStream(device(index)); }
c10::Stream default_stream(c10::DeviceIndex index) {
  return guard().getDefaultStream(device(index));
}
c10::Stream pool_stream(c10::DeviceIndex index, bool high_priority) {
  return guard().getStreamFromGlobalPool(device(index), high_priority);
}
c10::Stream exchange_stream(c10::Stream stream) { return guard().exchangeStream(stream); }
c10::Stream stream_of(c10::DeviceIndex index, c10::StreamId id) {
  return c10::Stream(c10::Stream::UNSAFE, device(index), id);
}

}  // namespace fastopt::cuda
