// The text of the kernels of a list of callbacks, in CUDA C++.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "optim/fused/callbacks.h"
#include "optim/fused/program.h"

namespace fastopt::fused {

// What the text depends on.
struct ListOfCallbacks {
  fastopt_dtype dtype, state_dtype;
  std::vector<int32_t> callbacks;  // the built-in ones, also those that only count
  Stages stages;
};

// Checks what a plan is made of, or says why it can't be.
const char* list_callbacks(const fastopt_plan_options& options, ListOfCallbacks& list);

// How many doubles a tensor's row has: scalars of built-in callbacks, then uniforms of programs.
inline size_t row_size(const ListOfCallbacks& list) {
  return kScalars + list.stages.uniforms.size();
}

// The whole of it, and the part that depends on the list: for each stage `fastopt_row_<stage>` and
// `fastopt_step_<stage>`, and last a row that writes the scalars of programs.
std::string cuda_source(const ListOfCallbacks& list);
std::string cuda_kernels(const ListOfCallbacks& list);

inline std::string row_kernel(size_t stage) { return "fastopt_row_" + std::to_string(stage); }
inline std::string step_kernel(size_t stage) { return "fastopt_step_" + std::to_string(stage); }
std::vector<std::string> kernel_names(const ListOfCallbacks& list);

}  // namespace fastopt::fused
