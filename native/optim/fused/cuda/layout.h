// What the host hands to the kernels of a step.
#pragma once
#include "optim/fused/callbacks.h"

namespace fastopt::fused {

// What a block steps: small, so that all multiprocessors are busy to the end, as the hardware gives
// each the next block when it has room.
constexpr int32_t kBlockElements = 4096;
constexpr int32_t kBlockThreads = 256;
constexpr int32_t kRowThreads = 32;

struct DeviceTensor {
  void* arrays[int32_t{FASTOPT_OWN} + FASTOPT_OWN_STATES];  // by enum fastopt_array
  int64_t size;
  int32_t group;
  int32_t row;          // of `Args::rows`
  int32_t first_block;  // of those that step it
  int32_t aligned;      // whether all its arrays begin at a multiple of 16 bytes
};

// The part of a tensor that a block steps: its `number`-th.
struct BlockPart {
  int32_t tensor, number;
};

struct Args {
  const DeviceTensor* tensors;
  const BlockPart* blocks;
  double* rows;            // of kScalars scalars, then the uniforms of programs
  const Hypers* hypers;    // by group
  Counters* counters;      // by tensor
  double* partial_sums;    // by block, then sum
  double* sums;            // by tensor, then sum
  const float* found_inf;  // null, or: nothing is done where it isn't 0
  bool counts;             // whether steps are counted on the device
};

}  // namespace fastopt::fused
