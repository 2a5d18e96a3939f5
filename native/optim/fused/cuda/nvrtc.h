// Compiles the text of kernels, which takes some tenths of a second, and keeps what it made.
#pragma once
#include <string>

namespace fastopt::fused {

struct NvrtcPlaces {
  const char* folders = nullptr;  // as fastopt_cuda_options
  const char* cache = nullptr;
};

// The machine code of `source` for a compute capability such as 90, or PTX for the best that this
// NVRTC knows. Throws Refused.
std::string compile(const std::string& source, int arch, const NvrtcPlaces& places);

// The same out of the cache on the disk, where it is left for the next time.
std::string compile_or_recall(const std::string& source, int arch, const NvrtcPlaces& places);

}  // namespace fastopt::fused
