// Runs parts of programs on the CPU: an instruction at a time over a block of elements, which stays
// in the first cache.
#pragma once
#include <cstddef>

#include "optim/fused/vectors.h"

namespace fastopt::fused {

// How a plan's arrays are stored.
struct Storage {
  fastopt_dtype dtype, state_dtype;

  // Whether it is computed with in float64.
  bool wide() const { return dtype == FASTOPT_FLOAT64; }
  fastopt_dtype of(int32_t array) const;
};

struct Touched {
  int32_t array;
  int64_t element_size;
  bool operator==(const Touched&) const = default;
};

struct Machine {
  std::vector<Instruction> instructions;
  std::vector<Touched> arrays;
  int32_t registers = 0;
};

// Makes a machine for a part, or says why there is none.
const char* assemble(const Part& part, const Storage& storage, fastopt_isa isa, Machine& machine);

// The registers of one thread, on its stack.
class Workspace {
 public:
  struct alignas(64) Registers {
    std::byte bytes[1 << 16];
  };

  // `block_size`: at most what `block_size_for` says.
  Workspace(int64_t block_size, bool wide);

  // Adds up sums, by their number in the list, in `sums`; uniforms are float or, if wide, double.
  void set(const void* uniforms, double* sums);

  // Steps a block: the elements from `begin` to `end`.
  void run(const Machine& machine, const fastopt_tensor& tensor, int64_t begin, int64_t end);

  // Fetches these elements into the cache, a share with each of the next `times` instructions:
  // between so many streams and so much work on each block, the hardware doesn't do it by itself.
  void fetch_soon(std::span<const Touched> arrays, const fastopt_tensor& tensor, int64_t begin,
                  int64_t end, int64_t times);

 private:
  struct Range {
    const std::byte* at;
    int64_t lines;
  };

  void fetch();

  Block block_;
  Registers registers_;
  Range ranges_[kArrays];
  int64_t range_ = 0, range_count_ = 0, share_ = 0;
};

// How many elements a block may have for a machine of so many registers.
int64_t block_size_for(int32_t registers, bool wide);

}  // namespace fastopt::fused
