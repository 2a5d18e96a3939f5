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

// Whether this build has kernels for parameters and state that are stored so.
bool has_kernels(fastopt_dtype dtype, fastopt_dtype state_dtype);

// Covers `ops` with as few kernels as there are; empty where this build has none. `isa` is one that
// this machine has.
std::vector<Kernel> find_kernels(fastopt_dtype dtype, fastopt_dtype state_dtype, fastopt_isa isa,
                                 std::span<const OpId> ops);

}  // namespace fastopt::fused
