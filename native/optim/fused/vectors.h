// What the machine for programs does to a block at a time.
#pragma once
#include "optim/fused/program.h"

namespace fastopt::fused {

// Besides the elementwise ones of fastopt_code.
enum Operation : int32_t {
  kCopy = FASTOPT_CODES,
  kLoadBFloat16,
  kLoadFloat16,
  kStoreBFloat16,
  kStoreFloat16,
  kMulAdd,              // a * b + c
  kMulSub,              // a * b - c
  kSubMul,              // c - a * b
  kAddProducts,         // a * b + c * d
  kSubProducts,         // a * b - c * d
  kAddQuotient,         // c + a / b
  kSubQuotient,         // c - a / b
  kAddScaledQuotient,   // c + d * a / b
  kSubScaledQuotient,   // c - d * a / b
  kRootPlus,            // sqrt(a) + b
  kRootOfQuotientPlus,  // sqrt(a / b) + c
};

// How many values an instruction may need at once that are in no array.
constexpr int32_t kMaxRegisters = 64;

// Where an instruction finds its operands: the same elements of all arrays and registers.
struct Block {
  void* vectors[kArrays + kMaxRegisters];
  const void* uniforms;  // float or double, as all that is computed with
  double* sums;
  int64_t size;
};

// Operands are numbers of vectors or, as the function has it, of uniforms; the result may be
// written over one of them.
struct Instruction {
  void (*run)(const Instruction&, const Block&);
  int32_t out;  // a vector, or of SUM a sum
  std::array<int32_t, 4> in;
};

// The function for an operation, the bits of whose operands that are uniforms are set, on floats
// or, if wide, doubles. Null: there is none, as no node has uniforms alone.
decltype(Instruction::run) find_vector_operation(int32_t operation, unsigned uniforms, bool wide,
                                                 fastopt_isa isa);

}  // namespace fastopt::fused
