// Lets the sources of kernels be compiled for the host. A block is some threads that meet at
// barriers; blocks run one after the other.
#pragma once
#include <barrier>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(threads)
#define __shared__ static

namespace on_host {

constexpr unsigned kThreads = 4;

struct Index {
  unsigned x = 0;
};
inline std::barrier<> barrier(kThreads);

}  // namespace on_host

inline thread_local on_host::Index threadIdx, blockIdx;
constexpr on_host::Index blockDim{on_host::kThreads};
inline void __syncthreads() { on_host::barrier.arrive_and_wait(); }

#include "optim/fused/cuda/layout.h"

namespace on_host {

using Kernel = void (*)(fastopt::fused::Args args);
using Kernels = std::map<std::string, Kernel>;

inline void run(Kernel kernel, int64_t blocks, const fastopt::fused::Args& args) {
  const auto work = [&](unsigned thread) {
    threadIdx.x = thread;
    for (int64_t block = 0; block < blocks; ++block) {
      blockIdx.x = static_cast<unsigned>(block);
      kernel(args);
      barrier.arrive_and_wait();
    }
  };
  std::vector<std::jthread> others;
  for (unsigned i = 1; i < kThreads; ++i) others.emplace_back(work, i);
  work(0);
}

// Those of each of `kernel_cases()`, in their order (write_kernels.cpp).
extern const std::vector<Kernels> kernels;

}  // namespace on_host
