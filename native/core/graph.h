#pragma once
#include <memory>

// Work of a GPU that is recorded once, and replayed as a whole: one call for thousands of kernels.
namespace fastopt::cuda {

class Graph {
 public:
  // Whether this build can record: it needs CUDA's headers.
  static bool is_built();

  Graph();
  ~Graph();

  // Records what this thread gives to its current stream, which must not be the default one, from
  // here to end(). Nothing is done meanwhile, and nothing may be waited for or read. Other threads
  // go on as they are.
  void begin();
  void end();
  // Gives what was recorded to the current stream. Tensors are where they were.
  void replay();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fastopt::cuda
