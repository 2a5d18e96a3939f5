// The lists of callbacks whose CUDA kernels are compiled, for the host and for GPUs.
#pragma once
#include <string>
#include <vector>

#include "fused_cases.h"
#include "fused_interpreter.h"

namespace kernel_cases {

struct KernelCase {
  std::string name;
  fastopt_dtype dtype, state_dtype;
  std::vector<int32_t> callbacks;
  std::vector<fused_program::Program> programs;
};

// Calls `use` with the options of a plan of no tensors.
template <class Use>
auto with_options(const KernelCase& list, Use use) {
  std::vector<fastopt_program> programs;
  for (const auto& program : list.programs)
    programs.push_back({program.nodes.data(), std::ssize(program.nodes)});
  fastopt_plan_options options{};
  options.dtype = list.dtype;
  options.state_dtype = list.state_dtype;
  options.callbacks = list.callbacks.data();
  options.callback_count = std::ssize(list.callbacks);
  options.programs = programs.data();
  options.program_count = std::ssize(programs);
  return use(options);
}

// A momentum whose average is a state of its own, in a bias-corrected step: all of it by element.
inline fused_program::Program own_momentum() {
  fused_program::Program f;
  const auto beta = f.own_hyper(2);
  const auto average = f.element(FASTOPT_OWN + 1) * beta + f.element(FASTOPT_GRAD) * (1 - beta);
  const auto debias = 1 - op(FASTOPT_POW, beta, f.step());
  f.store(FASTOPT_OWN + 1, average);
  f.store(FASTOPT_PARAM,
          f.element(FASTOPT_PARAM) - f.hyper(&fastopt_hypers::lr) * average / debias);
  return f;
}

// A step as long as `own[0]` of the parameter's norm, which is kept in a state of one element.
inline fused_program::Program normed_step() {
  fused_program::Program f;
  const auto p = f.element(FASTOPT_PARAM), average = f.element(FASTOPT_GRAD_AVG);
  const auto norm = sqrt(sum(p * p)), ratio = norm / (sqrt(sum(average * average)) + 1e-6);
  f.store(FASTOPT_PARAM, p - f.own_hyper(0) * ratio * average);
  f.store_scalar(FASTOPT_OWN, f.scalar(FASTOPT_OWN) * 0.5 + norm);
  return f;
}

// The sum of x / sum(x): sums in two stages.
inline fused_program::Program sum_of_sums() {
  fused_program::Program f;
  const auto g = f.element(FASTOPT_GRAD);
  const auto share = op(FASTOPT_ABS, g) / (sum(op(FASTOPT_ABS, g)) + 1.0);
  f.store(FASTOPT_PARAM, f.element(FASTOPT_PARAM) - sqrt(sum(share * share)) * share);
  return f;
}

// Every operation, of elements and of hyper-parameters. Own states 1 to 7 take the results.
inline fused_program::Program every_operation() {
  fused_program::Program f;
  const auto of = [&](fused_program::Term x, fused_program::Term y) {
    const auto positive = op(FASTOPT_ABS, x) + 0.5;
    auto total = op(FASTOPT_NEG, x);
    for (const auto code : {FASTOPT_SIGN, FASTOPT_EXPM1, FASTOPT_TANH, FASTOPT_NOT})
      total = total + op(code, x);
    for (const auto code : {FASTOPT_SQRT, FASTOPT_RECIPROCAL, FASTOPT_LOG, FASTOPT_LOG1P})
      total = total + op(code, positive);
    total = total + op(FASTOPT_EXP, op(FASTOPT_NEG, positive)) + op(FASTOPT_POW, positive, y);
    for (const auto code : {FASTOPT_MAXIMUM, FASTOPT_MINIMUM, FASTOPT_EQ, FASTOPT_NE, FASTOPT_LT,
                            FASTOPT_LE, FASTOPT_AND, FASTOPT_OR})
      total = total + op(code, x, y);
    return op(FASTOPT_WHERE, op(FASTOPT_LT, x, y), total, total * 0.5);
  };
  const auto p = f.element(FASTOPT_PARAM), g = f.element(FASTOPT_GRAD);
  for (int i = 1; i <= 3; ++i) f.store(FASTOPT_OWN + i, of(p, g) + static_cast<double>(i));
  f.store(FASTOPT_OWN + 4, of(g, f.hyper(&fastopt_hypers::mom)));
  f.store(FASTOPT_OWN + 5, of(f.hyper(&fastopt_hypers::mom), f.own_hyper(15)) + 0.0 * p);
  f.store(FASTOPT_OWN + 6, f.size() + f.constant(0.1));
  f.store(FASTOPT_OWN + 7, f.constant(-1e-300) * 0.0 + f.constant(7));
  return f;
}

// Random programs with a kernel between them: those of `number`.
inline std::vector<fused_program::Program> random_pair(int number) {
  std::mt19937 random(number);
  const auto first = fused_program::random_program(FASTOPT_OWN, random);
  return {first, fused_program::random_program(FASTOPT_OWN, random)};
}
constexpr int kRandomPairs = 20;

inline std::vector<KernelCase> kernel_cases() {
  std::vector<KernelCase> cases;
  std::vector<KernelCase> lists;
  for (const auto& [name, callbacks] : fused_cases::kCases)
    lists.push_back({name, FASTOPT_FLOAT32, FASTOPT_FLOAT32, callbacks, {}});
  const auto add_program = [&](const char* name, std::vector<int32_t> callbacks,
                               std::vector<fused_program::Program> programs) {
    lists.push_back({name, FASTOPT_FLOAT32, FASTOPT_FLOAT32, callbacks, programs});
  };
  constexpr int32_t program = FASTOPT_PROGRAM;
  add_program("own momentum", {FASTOPT_WEIGHT_DECAY, FASTOPT_STEP_STAT, program}, {own_momentum()});
  add_program("normed step", {FASTOPT_AVERAGE_GRAD, FASTOPT_STEP_STAT, program, FASTOPT_ZERO_GRAD},
              {normed_step()});
  add_program("sum of sums", {FASTOPT_L2_REG, program}, {sum_of_sums()});
  add_program("every operation", {program}, {every_operation()});
  for (int number = 0; number < kRandomPairs; ++number)
    cases.push_back({"random " + std::to_string(number),
                     FASTOPT_FLOAT64,
                     FASTOPT_FLOAT64,
                     {program, FASTOPT_WEIGHT_DECAY, program + 1},
                     random_pair(number)});
  for (const auto& list : lists) {
    cases.push_back(list);
    cases.push_back(list);
    cases.back().dtype = cases.back().state_dtype = FASTOPT_FLOAT64;
    for (const auto dtype : {FASTOPT_FLOAT32, FASTOPT_BFLOAT16, FASTOPT_FLOAT16}) {
      for (const auto state_dtype : {FASTOPT_FLOAT32, FASTOPT_BFLOAT16}) {
        if (list.name != "NAdam" || dtype == state_dtype) continue;
        cases.push_back(list);
        cases.back().dtype = dtype;
        cases.back().state_dtype = state_dtype;
      }
    }
  }
  return cases;
}

}  // namespace kernel_cases
