#include "core/graph.h"

#include <c10/util/Exception.h>

#include <exception>

#ifdef FASTOPT_CUDA_HEADERS
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGeneratorImpl.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#endif

namespace fastopt::cuda {

#ifdef FASTOPT_CUDA_HEADERS

namespace {

// Generators of libtorch 2.11 refuse all work until their recording has ended.
template <class State>
void leave_capture(State& state) {
  if constexpr (requires { state.capturing_; }) state.capturing_ = false;
}

template <class Work>
void attempt(Work work) {
  try {
    work();
  } catch (const std::exception&) {
    // It was not begun, or has ended.
  }
}

}  // namespace

struct Graph::Impl : at::cuda::CUDAGraph {
  bool recording = false;

  // libtorch ends what it began only where the recording is sound: without this, random numbers and
  // the allocators would wait for the end of one that failed for as long as the process lives.
  void abandon() {
    for (auto& [state, increment] : captured_generator_states_) leave_capture(*state);
    reset();
    if (capture_dev_ == UNDEFINED_DEVICE) return;
    attempt([this] {
      c10::cuda::CUDACachingAllocator::endAllocateToPool(capture_dev_, mempool_id_);
      c10::cuda::CUDACachingAllocator::releasePool(capture_dev_, mempool_id_);
    });
    attempt([this] {
      at::getHostAllocator(at::kCUDA)->end_allocate_to_pool(mempool_id_);
      at::getHostAllocator(at::kCUDA)->release_pool(mempool_id_);
    });
  }

  template <class Work>
  void or_abandon(Work work) {
    try {
      work();
    } catch (...) {
      abandon();
      throw;
    }
  }
};

bool Graph::is_built() { return true; }
Graph::Graph() : impl_(std::make_unique<Impl>()) {}
// Thread-local: finalizers of other threads may free memory while this one records.
void Graph::begin() {
  impl_->or_abandon([this] { impl_->capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal); });
  impl_->recording = true;
}
void Graph::end() {
  impl_->recording = false;
  impl_->or_abandon([this] { impl_->capture_end(); });
}
void Graph::replay() { impl_->replay(); }
// A worker may have been terminated in the middle.
Graph::~Graph() {
  if (impl_->recording) attempt([this] { end(); });
}

#else

struct Graph::Impl {};

bool Graph::is_built() { return false; }
Graph::Graph() { TORCH_CHECK(false, "this build has no CUDA graphs"); }
void Graph::begin() {}
void Graph::end() {}
void Graph::replay() {}
Graph::~Graph() = default;

#endif

}  // namespace fastopt::cuda
