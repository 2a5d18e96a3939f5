#include "optim/fused/uniforms.h"

#include <cmath>
#include <limits>

namespace fastopt::fused {
namespace {

double truth(bool value) { return value ? 1 : 0; }

double scalar_of(const UniformInputs& inputs, int32_t array) {
  const void* stored = array_of(*inputs.tensor, array);
  return inputs.wide ? *static_cast<const double*>(stored) : *static_cast<const float*>(stored);
}

double value_of(const Uniform& uniform, const UniformInputs& inputs, const double* values) {
  const auto operand = [&](int k) {
    return uniform.operands[k] < 0 ? 0 : values[uniform.operands[k]];
  };
  switch (uniform.code) {
    case FASTOPT_CONSTANT:
      return uniform.value;
    case FASTOPT_HYPER:
      return reinterpret_cast<const double*>(inputs.hypers)[uniform.index];
    case FASTOPT_COUNTER:
      return reinterpret_cast<const double*>(inputs.counters)[uniform.index];
    case FASTOPT_SIZE:
      return static_cast<double>(inputs.tensor->size);
    case FASTOPT_SCALAR:
      return scalar_of(inputs, uniform.index);
    case FASTOPT_SUM:
      return inputs.sums[uniform.index];
    default:
      return compute(uniform.code, operand(0), operand(1), operand(2));
  }
}

}  // namespace

int operand_count(int32_t code) {
  if (code < FASTOPT_NEG) return 0;
  if (code < FASTOPT_ADD || code >= FASTOPT_SUM) return 1;
  return code == FASTOPT_WHERE ? 3 : 2;
}

double compute(int32_t code, double a, double b, double c) {
  switch (code) {
    case FASTOPT_NEG:
      return -a;
    case FASTOPT_ABS:
      return std::abs(a);
    case FASTOPT_SIGN:
      return truth(a > 0) - truth(a < 0);
    case FASTOPT_SQRT:
      return std::sqrt(a);
    case FASTOPT_RECIPROCAL:
      return 1 / a;
    case FASTOPT_EXP:
      return std::exp(a);
    case FASTOPT_EXPM1:
      return std::expm1(a);
    case FASTOPT_LOG:
      return std::log(a);
    case FASTOPT_LOG1P:
      return std::log1p(a);
    case FASTOPT_TANH:
      return std::tanh(a);
    case FASTOPT_NOT:
      return truth(a == 0);
    case FASTOPT_ADD:
      return a + b;
    case FASTOPT_SUB:
      return a - b;
    case FASTOPT_MUL:
      return a * b;
    case FASTOPT_DIV:
      return a / b;
    case FASTOPT_POW:
      return std::pow(a, b);
    case FASTOPT_MAXIMUM:
      return b > a || b != b ? b : a;
    case FASTOPT_MINIMUM:
      return b < a || b != b ? b : a;
    case FASTOPT_EQ:
      return truth(a == b);
    case FASTOPT_NE:
      return truth(a != b);
    case FASTOPT_LT:
      return truth(a < b);
    case FASTOPT_LE:
      return truth(a <= b);
    case FASTOPT_AND:
      return truth(a != 0 && b != 0);
    case FASTOPT_OR:
      return truth(a != 0 || b != 0);
    case FASTOPT_WHERE:
      return a != 0 ? b : c;
    default:
      return std::numeric_limits<double>::quiet_NaN();
  }
}

void evaluate(const std::vector<Uniform>& uniforms, std::span<const int32_t> numbers,
              const UniformInputs& inputs, double* values) {
  for (const auto number : numbers) values[number] = value_of(uniforms[number], inputs, values);
}

}  // namespace fastopt::fused
