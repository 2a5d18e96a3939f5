#include "core/graph.h"

#include <c10/util/Exception.h>

#ifdef FASTOPT_CUDA_HEADERS
#include <ATen/cuda/CUDAGraph.h>
#endif

namespace fastopt::cuda {

#ifdef FASTOPT_CUDA_HEADERS

struct Graph::Impl {
  at::cuda::CUDAGraph graph;
};

bool Graph::is_built() { return true; }
Graph::Graph() : impl_(std::make_unique<Impl>()) {}
// Thread-local: finalizers of other threads may free memory while this one records.
void Graph::begin() { impl_->graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal); }
void Graph::end() { impl_->graph.capture_end(); }
void Graph::replay() { impl_->graph.replay(); }

#else

struct Graph::Impl {};

bool Graph::is_built() { return false; }
Graph::Graph() { TORCH_CHECK(false, "this build has no CUDA graphs"); }
void Graph::begin() {}
void Graph::end() {}
void Graph::replay() {}

#endif

Graph::~Graph() = default;

}  // namespace fastopt::cuda
