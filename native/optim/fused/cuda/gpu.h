// What a plan needs of a device.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "optim/fused/cuda/layout.h"

namespace fastopt::fused {

// Becomes the reason that a function of fused_cuda.h returns.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Gpu {
 public:
  virtual ~Gpu() = default;

  virtual void* allocate(size_t bytes) = 0;
  virtual void free(void* memory) = 0;

  // In the order of the stream. `from` may change at once. While a graph is captured, the copy is
  // part of it.
  virtual void upload(void* to, const void* from, size_t bytes, void* stream) = 0;
  // Waits for it.
  virtual void download(void* to, const void* from, size_t bytes, void* stream) = 0;
  virtual void launch(const std::string& kernel, int64_t blocks, int32_t threads, const Args& args,
                      void* stream) = 0;
  virtual bool captures(void* stream) = 0;
};

}  // namespace fastopt::fused
