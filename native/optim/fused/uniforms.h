// Values of programs that a whole tensor has in common, computed in float64.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "optim/fused/fused.h"

namespace fastopt::fused {

struct Uniform {
  // CONSTANT, HYPER, COUNTER, SIZE, SCALAR, SUM, or an operation.
  int32_t code;
  std::array<int32_t, 3> operands;  // uniforms before it; -1: none
  int32_t index;                    // as in fastopt_node; of a SUM, its number in the list
  double value;                     // of a CONSTANT
  bool of_tensor;  // else tensors with the same hypers and counters have it in common
  int32_t stage;   // from which it is known
};

// How many operands a code has.
int operand_count(int32_t code);

// What an operation gives for these operands.
double compute(int32_t code, double a, double b, double c);

// What the uniforms of one tensor are computed from; its scalars are float64 where `wide`, else
// float32.
struct UniformInputs {
  const fastopt_hypers* hypers;
  const fastopt_counters* counters;
  const fastopt_tensor* tensor;
  const double* sums;
  bool wide;
};

// Evaluates the uniforms of these numbers, which come after what they depend on; `values` has room
// for all uniforms.
void evaluate(const std::vector<Uniform>& uniforms, std::span<const int32_t> numbers,
              const UniformInputs& inputs, double* values);

// The array of a tensor by its number (enum fastopt_array).
inline void* array_of(const fastopt_tensor& tensor, int32_t array) {
  void* const named[] = {tensor.param, tensor.grad, tensor.grad_avg, tensor.sqr_avg, tensor.slow};
  return array < FASTOPT_OWN ? named[array] : tensor.own[array - FASTOPT_OWN];
}

}  // namespace fastopt::fused
