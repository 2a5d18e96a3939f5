#pragma once
#include <ATen/core/Generator.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <cstdint>
#include <string>
#include <vector>

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

// The current device of a thread and its current streams, which libtorch's own ThreadLocalState
// leaves out; nothing without a GPU.
struct Place {
  int64_t device = 0;
  std::vector<c10::Stream> streams;
};
Place this_place();
void take_place(const Place& place);

// Of the current device where the index is negative.
at::Generator new_generator(c10::DeviceIndex index);

// Bytes, but for the two counts. `reserved` is what libtorch's allocator has taken from the GPU,
// `allocated` what of it tensors hold; `free` and `total` are the GPU's own, of all processes.
struct MemoryStats {
  int64_t allocated, max_allocated, reserved, max_reserved, active, max_active;
  int64_t free, total;
  int64_t alloc_retries, out_of_memory;
};
MemoryStats memory_stats(c10::DeviceIndex index);
// Lets the maxima begin anew from what is in use now.
void reset_peak_memory_stats(c10::DeviceIndex index);
// Gives back to the GPUs what the allocator keeps for later; does nothing before the first use.
void empty_cache();

}  // namespace fastopt::cuda
