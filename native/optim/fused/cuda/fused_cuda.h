// The fused step (fused.h) on an NVIDIA GPU: one launch over all tensors. The driver and NVRTC are
// looked for at run time, so that every build has these functions; where a machine lacks either,
// they say so. What they return is null, or a reason that is kept until the thread's next call.
#pragma once
#include "optim/fused/fused.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fastopt_cuda_plan fastopt_cuda_plan;

typedef struct {
  int32_t device;
  const char* nvrtc;  // folders to look for NVRTC in, with colons between them; may be null
  const char* cache;  // the folder of compiled kernels; null: that of the user
} fastopt_cuda_options;

// Makes a plan of tensors on a device. `options->isa` is ignored.
FASTOPT_API const char* fastopt_cuda_plan_create(const fastopt_plan_options* options,
                                                 const fastopt_cuda_options* where,
                                                 fastopt_cuda_plan** plan);
FASTOPT_API void fastopt_cuda_plan_destroy(fastopt_cuda_plan* plan);

// How often a step passes over memory.
FASTOPT_API int32_t fastopt_cuda_plan_passes(const fastopt_cuda_plan* plan);

// The plan's own copy of its tensors: addresses may be changed between steps, sizes may not.
FASTOPT_API fastopt_tensor* fastopt_cuda_plan_tensors(fastopt_cuda_plan* plan);

// Steps all tensors, in the order of `stream` (a CUstream or cudaStream_t; null: the default one),
// and doesn't wait. Steps of a plan must be ordered, as they share its buffers. Where the device
// counts, a step is skipped, and not counted, if the float that `found_inf` points to there isn't
// 0; it may be null.
FASTOPT_API const char* fastopt_cuda_plan_step(fastopt_cuda_plan* plan,
                                               const fastopt_hypers* hypers,
                                               fastopt_counters* counters, const float* found_inf,
                                               void* stream);

// ---- Steps that the device counts: captured in a CUDA graph, or skipped there ----

// Gives the counters to the device, which from then on counts steps and leaves those of
// `fastopt_cuda_plan_step` alone. Needed before a step is captured, and not while one is.
FASTOPT_API const char* fastopt_cuda_plan_hold_counters(fastopt_cuda_plan* plan,
                                                        const fastopt_counters* counters,
                                                        void* stream);

// Sets what captured steps read when they are replayed: capturing ignores the `hypers` of a step.
FASTOPT_API const char* fastopt_cuda_plan_set_hypers(fastopt_cuda_plan* plan,
                                                     const fastopt_hypers* hypers, void* stream);

// Copies the device's counters, and waits for them.
FASTOPT_API const char* fastopt_cuda_plan_read_counters(fastopt_cuda_plan* plan,
                                                        fastopt_counters* counters, void* stream);

// Ends that: from then on, the counters given to a step count again. Read them before.
FASTOPT_API void fastopt_cuda_plan_release_counters(fastopt_cuda_plan* plan);

// ---- Kernels, also without a GPU ----

// Writes the CUDA C++ of a list of callbacks to `text`, as far as it fits, and sets `size` to what
// is needed with the final 0. Tensors are ignored.
FASTOPT_API const char* fastopt_cuda_source(const fastopt_plan_options* options, char* text,
                                            int64_t* size);

// Compiles it with NVRTC for a compute capability such as 90, not using the cache.
FASTOPT_API const char* fastopt_cuda_compile(const fastopt_plan_options* options, int32_t arch,
                                             const char* nvrtc, void* cubin, int64_t* size);

#ifdef __cplusplus
}
#endif
