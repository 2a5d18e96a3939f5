#pragma once
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <cstdint>
#include <string>

// CUDA by libtorch's interfaces for devices of any kind, which need none of CUDA's headers: the
// same code serves a libtorch with CUDA and one without.
namespace fastopt::cuda {

// Whether this libtorch has CUDA, usable or not.
bool is_built();
// How many GPUs can be used: none without a driver. Never throws.
int64_t device_count();

// All below need a device_count() above their index.
int64_t current_device();
void set_device(c10::DeviceIndex index);
void synchronize(c10::DeviceIndex index);

c10::Stream current_stream(c10::DeviceIndex index);
c10::Stream default_stream(c10::DeviceIndex index);
// One of the streams of libtorch's pool, which go round.
c10::Stream pool_stream(c10::DeviceIndex index, bool high_priority);
// Makes a stream this thread's current one of its device, and returns the one before.
c10::Stream exchange_stream(c10::Stream stream);
c10::Stream stream_of(c10::DeviceIndex index, c10::StreamId id);

}  // namespace fastopt::cuda
