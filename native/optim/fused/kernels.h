// What a list of callbacks becomes: kernels that are run one after the other over each block.
#pragma once
#include <span>
#include <vector>

#include "optim/fused/callbacks.h"
#include "optim/fused/sweep.h"

namespace fastopt::fused {

// Stands for an elementwise operation at run time; null for none.
using OpId = const char*;

struct CallbackEntry {
  OpId op;
  unsigned touches;  // the arrays that the operation reads or writes: a bit each (enum Arrays)
  void (*count)(const Hypers&, Counters&);
  void (*scalars)(const Hypers&, const Counters&, double*);
};

// The entry of one of `enum fastopt_callback`, or null.
const CallbackEntry* find_callback(int32_t callback);

// The best instruction set of this machine.
fastopt_isa best_isa();

// Covers `ops` with as few kernels as there are. Empty where this build has none for the dtype or
// the instruction set.
std::vector<Kernel> find_kernels(fastopt_dtype dtype, fastopt_isa isa, std::span<const OpId> ops);

}  // namespace fastopt::fused
