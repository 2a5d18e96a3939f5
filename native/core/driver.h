#pragma once
#include <cstdint>
#include <string>
#include <vector>

// NVIDIA's driver library, asked at run time by its C interface, which has stayed the same for
// many years. It needs neither CUDA's headers nor a libtorch with CUDA.
namespace fastopt::driver {

struct Gpu {
  std::string name;
  int64_t total_memory = 0;
  int major = 0, minor = 0;  // the compute capability
  int multiprocessors = 0;
  int warp_size = 0;
  int max_threads_per_multiprocessor = 0;
  int shared_memory_per_block = 0;  // at most, when a kernel asks for it
  int l2_cache_size = 0;
};

struct Driver {
  int cuda_version = 0;   // the newest that it serves: 13000 is 13.0; 0 without a driver
  std::vector<Gpu> gpus;  // as CUDA numbers them
};

// Never throws: without a driver it tells of none.
Driver find_driver();

}  // namespace fastopt::driver
