#include "optim/fused/cuda/fused_cuda.h"

#include <algorithm>
#include <cstring>

#include "optim/fused/cuda/cache.h"
#include "optim/fused/cuda/driver.h"
#include "optim/fused/cuda/nvrtc.h"
#include "optim/fused/cuda/plan.h"

using namespace fastopt::fused;

struct fastopt_cuda_plan {
  CudaPlan plan;
};

namespace {

// The single place where an exception becomes a reason.
template <class Run>
const char* reason_of(Run run) {
  thread_local std::string reason;
  try {
    run();
    return nullptr;
  } catch (const std::exception& error) {
    reason = error.what();
  }
  return reason.c_str();
}

ListOfCallbacks list_or_throw(const fastopt_plan_options& options) {
  ListOfCallbacks list;
  if (const char* problem = list_callbacks(options, list)) throw Refused(problem);
  return list;
}

std::unique_ptr<Gpu> gpu_for(const ListOfCallbacks& list, const fastopt_cuda_options& where) {
  const auto device = open_device(where.device);
  const auto source = cuda_source(list);
  const auto arch = arch_of(*device);
  const auto names = kernel_names(list);
  if (const auto made = made_by_build(source, arch); !made.empty()) {
    try {
      return make_gpu(device, made, names);
    } catch (const Refused&) {
      // The driver may be older than the nvcc that made it.
    }
  }
  return make_gpu(device, compile_or_recall(source, arch, {where.nvrtc, where.cache}), names);
}

// Copies as much as there is room for.
void write_to(const std::string& from, void* to, int64_t* size) {
  const auto needed = static_cast<int64_t>(from.size());
  if (to) std::memcpy(to, from.data(), static_cast<size_t>(std::min(needed, *size)));
  *size = needed;
}

}  // namespace

const char* fastopt_cuda_plan_create(const fastopt_plan_options* options,
                                     const fastopt_cuda_options* where, fastopt_cuda_plan** made) {
  return reason_of([&] {
    auto list = list_or_throw(*options);
    auto gpu = gpu_for(list, *where);
    const std::span tensors(options->tensors, static_cast<size_t>(options->tensor_count));
    *made = new fastopt_cuda_plan{{std::move(list), tensors, std::move(gpu)}};
  });
}

void fastopt_cuda_plan_destroy(fastopt_cuda_plan* plan) { delete plan; }

int32_t fastopt_cuda_plan_passes(const fastopt_cuda_plan* plan) { return plan->plan.passes(); }

fastopt_tensor* fastopt_cuda_plan_tensors(fastopt_cuda_plan* plan) { return plan->plan.tensors(); }

const char* fastopt_cuda_plan_step(fastopt_cuda_plan* plan, const fastopt_hypers* hypers,
                                   fastopt_counters* counters, const float* found_inf,
                                   void* stream) {
  return reason_of([&] { plan->plan.step(hypers, counters, found_inf, stream); });
}

const char* fastopt_cuda_plan_hold_counters(fastopt_cuda_plan* plan,
                                            const fastopt_counters* counters, void* stream) {
  return reason_of([&] { plan->plan.hold_counters(counters, stream); });
}

const char* fastopt_cuda_plan_set_hypers(fastopt_cuda_plan* plan, const fastopt_hypers* hypers,
                                         void* stream) {
  return reason_of([&] { plan->plan.set_hypers(hypers, stream); });
}

const char* fastopt_cuda_plan_read_counters(fastopt_cuda_plan* plan, fastopt_counters* counters,
                                            void* stream) {
  return reason_of([&] { plan->plan.read_counters(counters, stream); });
}

void fastopt_cuda_plan_release_counters(fastopt_cuda_plan* plan) { plan->plan.release_counters(); }

const char* fastopt_cuda_source(const fastopt_plan_options* options, char* text, int64_t* size) {
  return reason_of([&] {
    const auto source = cuda_source(list_or_throw(*options));
    write_to(source + '\0', text, size);
  });
}

const char* fastopt_cuda_compile(const fastopt_plan_options* options, int32_t arch,
                                 const char* nvrtc, void* cubin, int64_t* size) {
  return reason_of([&] {
    const auto code = compile(cuda_source(list_or_throw(*options)), arch, {nvrtc, nullptr});
    write_to(code, cubin, size);
  });
}
