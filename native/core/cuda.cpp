#include "core/cuda.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

namespace fastopt::cuda {
namespace {

c10::Device device(c10::DeviceIndex index) { return {c10::DeviceType::CUDA, index}; }

const c10::impl::DeviceGuardImplInterface& guard() {
  at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
  return *c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA);
}

c10::DeviceAllocator& allocator() {
  at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
  return *c10::getDeviceAllocator(c10::DeviceType::CUDA);
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

Place this_place() {
  Place place;
  const auto count = static_cast<c10::DeviceIndex>(device_count());
  if (count == 0) return place;
  place.device = current_device();
  for (c10::DeviceIndex i = 0; i < count; ++i) place.streams.push_back(current_stream(i));
  return place;
}

void take_place(const Place& place) {
  if (place.streams.empty()) return;
  set_device(static_cast<c10::DeviceIndex>(place.device));
  for (const auto& stream : place.streams) exchange_stream(stream);
}

at::Generator new_generator(c10::DeviceIndex index) {
  const auto which = index < 0 ? current_device() : index;
  return at::detail::getCUDAHooks().getNewGenerator(static_cast<c10::DeviceIndex>(which));
}

MemoryStats memory_stats(c10::DeviceIndex index) {
  const auto stats = allocator().getDeviceStats(index);
  const auto [free, total] = allocator().getMemoryInfo(index);
  const auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return {.allocated = stats.allocated_bytes[all].current,
          .max_allocated = stats.allocated_bytes[all].peak,
          .reserved = stats.reserved_bytes[all].current,
          .max_reserved = stats.reserved_bytes[all].peak,
          .active = stats.active_bytes[all].current,
          .max_active = stats.active_bytes[all].peak,
          .free = static_cast<int64_t>(free),
          .total = static_cast<int64_t>(total),
          .alloc_retries = stats.num_alloc_retries,
          .out_of_memory = stats.num_ooms};
}

void reset_peak_memory_stats(c10::DeviceIndex index) { allocator().resetPeakStats(index); }
void empty_cache() {
  if (device_count() > 0 && allocator().initialized()) allocator().emptyCache();
}

}  // namespace fastopt::cuda
