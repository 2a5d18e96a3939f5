#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "check.h"
#include "fused_program.h"
#include "optim/fused/machine.h"

using namespace fastopt::fused;
using namespace fused_program;

namespace {

// Stages of these callbacks and programs, or why there are none.
std::string staged(const std::vector<int32_t>& callbacks, const std::vector<Program>& programs,
                   Stages& made) {
  std::vector<fastopt_program> list;
  for (const auto& program : programs)
    list.push_back({program.nodes.data(), std::ssize(program.nodes)});
  fastopt_plan_options options{};
  options.callbacks = callbacks.data();
  options.callback_count = std::ssize(callbacks);
  options.programs = list.data();
  options.program_count = std::ssize(list);
  const char* problem = make_stages(options, made);
  return problem ? problem : "";
}

Stages staged(const std::vector<int32_t>& callbacks, const std::vector<Program>& programs) {
  Stages made;
  EXPECT(staged(callbacks, programs, made) == "");
  return made;
}

std::vector<int32_t> codes(const Part& part) {
  std::vector<int32_t> found;
  for (const auto& node : part.nodes) found.push_back(node.code);
  return found;
}

// p -= lr * g
Program descent() {
  Program program;
  const auto p = program.element(FASTOPT_PARAM), g = program.element(FASTOPT_GRAD);
  program.store(FASTOPT_PARAM, p - program.hyper(&fastopt_hypers::lr) * g);
  return program;
}

void a_list_without_sums_is_one_stage() {
  const auto made =
      staged({FASTOPT_L2_REG, FASTOPT_STEP_STAT, FASTOPT_PROGRAM, FASTOPT_ZERO_GRAD}, {descent()});
  EXPECT(made.stages.size() == 1 && made.passes() == 1);
  const auto& items = made.stages[0].items;
  EXPECT(items.size() == 3);
  EXPECT(items[0].callback == FASTOPT_L2_REG && items[2].callback == FASTOPT_ZERO_GRAD);
  const auto& part = items[1].part;
  EXPECT(items[1].callback == -1);
  EXPECT(codes(part) ==
         std::vector<int32_t>{FASTOPT_ELEMENT, FASTOPT_ELEMENT, FASTOPT_MUL, FASTOPT_SUB});
  EXPECT(part.stores.size() == 1 && part.stores[0].array == FASTOPT_PARAM);
  EXPECT(part.stores[0].value == (Value{false, 3}));
  EXPECT(uniforms_passed_to(part) == made.stages[0].uniforms);
  EXPECT(made.uniforms.size() == 1 && !made.uniforms[0].of_tensor);
}

// Weights are decayed where programs read them, until one writes them.
void decay_is_done_by_the_programs_after_it() {
  Program stat;
  stat.store_scalar(FASTOPT_OWN, sum(stat.element(FASTOPT_PARAM)));
  const auto made = staged({FASTOPT_WEIGHT_DECAY, FASTOPT_AVERAGE_GRAD, FASTOPT_PROGRAM,
                            FASTOPT_PROGRAM + 1, FASTOPT_PROGRAM + 1},
                           {stat, descent()});
  const auto& items = made.stages[0].items;
  EXPECT(made.stages.size() == 1 && items.size() == 4);
  EXPECT(items[0].callback == FASTOPT_AVERAGE_GRAD);
  EXPECT(codes(items[1].part) == std::vector<int32_t>{FASTOPT_ELEMENT, FASTOPT_MUL});
  EXPECT(codes(items[2].part) == std::vector<int32_t>{FASTOPT_ELEMENT, FASTOPT_MUL, FASTOPT_ELEMENT,
                                                      FASTOPT_MUL, FASTOPT_SUB});
  EXPECT(codes(items[3].part) ==
         codes(staged({FASTOPT_PROGRAM}, {descent()}).stages[0].items[0].part));
}

// By a kernel, which with others may be one loop.
void decay_is_a_kernel_where_one_is_next_or_no_program_writes_weights() {
  Program stat;
  stat.store_scalar(FASTOPT_OWN, sum(stat.element(FASTOPT_PARAM)));
  const auto callbacks = [](const Stages& made) {
    std::vector<int32_t> found;
    for (const auto& item : made.stages[0].items) found.push_back(item.callback);
    return found;
  };
  using List = std::vector<int32_t>;
  EXPECT(callbacks(staged({FASTOPT_WEIGHT_DECAY, FASTOPT_SGD_STEP, FASTOPT_PROGRAM},
                          {descent()})) == (List{FASTOPT_WEIGHT_DECAY, FASTOPT_SGD_STEP, -1}));
  EXPECT(callbacks(staged({FASTOPT_WEIGHT_DECAY, FASTOPT_PROGRAM, FASTOPT_SGD_STEP}, {stat})) ==
         (List{-1, FASTOPT_WEIGHT_DECAY, FASTOPT_SGD_STEP}));
  EXPECT(callbacks(staged({FASTOPT_WEIGHT_DECAY, FASTOPT_PROGRAM}, {stat})) ==
         (List{-1, FASTOPT_WEIGHT_DECAY}));
}

void a_sum_ends_a_stage_and_later_callbacks_wait_for_the_stores() {
  // p -= g / rms(g); then p -= lr * g
  Program normed;
  const auto g = normed.element(FASTOPT_GRAD), p = normed.element(FASTOPT_PARAM);
  normed.store(FASTOPT_PARAM, p - g / rms(g));
  const auto made =
      staged({FASTOPT_L2_REG, FASTOPT_PROGRAM, FASTOPT_PROGRAM + 1}, {normed, descent()});
  EXPECT(made.stages.size() == 2 && made.passes() == 2 && made.sum_count == 1);
  const auto &first = made.stages[0].items, &second = made.stages[1].items;
  EXPECT(first.size() == 2 && second.size() == 2);
  EXPECT(codes(first[1].part) == std::vector<int32_t>{FASTOPT_ELEMENT, FASTOPT_MUL});
  EXPECT(first[1].part.sums.size() == 1 && first[1].part.sums[0].node == 1);
  EXPECT(first[1].part.stores.empty() && made.stages[0].uniforms.empty());
  EXPECT(codes(second[0].part) ==
         std::vector<int32_t>{FASTOPT_ELEMENT, FASTOPT_ELEMENT, FASTOPT_DIV, FASTOPT_SUB});
  for (const auto number : uniforms_passed_to(second[0].part)) {
    EXPECT(made.uniforms[number].stage == 1 && made.uniforms[number].of_tensor);
  }
}

void sums_of_sums_take_a_stage_each() {
  Program program;
  const auto p = program.element(FASTOPT_PARAM);
  const auto scaled = p / sum(p);
  program.store(FASTOPT_GRAD, scaled / sum(scaled * scaled));
  EXPECT(staged({FASTOPT_PROGRAM}, {program}).stages.size() == 3);
}

// Else the sum would be of what was stored.
void stores_wait_for_sums_that_they_do_not_need() {
  Program program;
  const auto p = program.element(FASTOPT_PARAM);
  program.store(FASTOPT_PARAM, p * 2);
  program.store_scalar(FASTOPT_OWN, sum(p * sum(p)));
  const auto made = staged({FASTOPT_PROGRAM}, {program});
  EXPECT(made.stages.size() == 2);
  EXPECT(made.stages[0].items[0].part.stores.empty());
  EXPECT(made.stages[1].items[0].part.stores.size() == 1);
  EXPECT(made.scalars.size() == 1 && made.scalars[0].array == FASTOPT_OWN);
  EXPECT(made.uniforms[made.scalars[0].uniform].stage == 2);
}

void a_stored_scalar_is_what_later_programs_of_the_step_read() {
  Program stat, step;
  stat.store_scalar(FASTOPT_OWN + 1, stat.scalar(FASTOPT_OWN + 1) + sum(stat.element(0)));
  step.store(FASTOPT_PARAM, step.element(FASTOPT_PARAM) * step.scalar(FASTOPT_OWN + 1));
  const auto made =
      staged({FASTOPT_PROGRAM, FASTOPT_AVERAGE_GRAD, FASTOPT_PROGRAM + 1}, {stat, step});
  EXPECT(made.stages.size() == 2);
  EXPECT(made.stages[0].items.size() == 2);  // the average needn't wait
  const auto& part = made.stages[1].items[0].part;
  EXPECT(uniforms_passed_to(part) == std::vector<int32_t>{made.scalars[0].uniform});
  EXPECT(made.last_uniforms == made.stages[1].uniforms);
}

void what_is_constant_or_twice_or_unused_is_computed_once_or_not_at_all() {
  Program program;
  const auto g = program.element(FASTOPT_GRAD), again = program.element(FASTOPT_GRAD);
  const auto unused = sum(g * 5);
  const auto one_and_half = sqrt(program.constant(4)) * 0.75;
  program.store(FASTOPT_GRAD, (g * one_and_half) * (again * (program.constant(3) / 2)));
  const auto made = staged({FASTOPT_PROGRAM}, {program});
  EXPECT(unused.node > 0 && made.stages.size() == 1 && made.sum_count == 0);
  const auto& part = made.stages[0].items[0].part;
  EXPECT(codes(part) == std::vector<int32_t>{FASTOPT_ELEMENT, FASTOPT_MUL, FASTOPT_MUL});
  const auto passed = uniforms_passed_to(part);
  EXPECT(passed.size() == 1 && made.uniforms[passed[0]].value == 1.5);
}

void powers_become_products_as_in_pytorch() {
  const auto of = [](double exponent) {
    Program program;
    program.store(FASTOPT_GRAD, op(FASTOPT_POW, program.element(FASTOPT_GRAD), exponent));
    auto found = codes(staged({FASTOPT_PROGRAM}, {program}).stages[0].items[0].part);
    return std::vector<int32_t>(found.begin() + 1, found.end());
  };
  EXPECT(of(2) == std::vector<int32_t>{FASTOPT_MUL});
  EXPECT(of(3) == std::vector<int32_t>{FASTOPT_MUL, FASTOPT_MUL});
  EXPECT(of(0.5) == std::vector<int32_t>{FASTOPT_SQRT});
  EXPECT(of(-1) == std::vector<int32_t>{FASTOPT_RECIPROCAL});
  EXPECT(of(2.5) == std::vector<int32_t>{FASTOPT_POW});
}

void uniforms_are_computed_in_float64() {
  Program program;
  const auto lr = program.hyper(&fastopt_hypers::lr), own = program.own_hyper(15);
  const auto rest = op(FASTOPT_POW, own, program.step()) - program.size();
  program.store_scalar(FASTOPT_OWN + 7, lr / rest + program.scalar(FASTOPT_OWN));
  const auto made = staged({FASTOPT_PROGRAM}, {program});
  EXPECT(made.stages.empty() && made.passes() == 0);  // no element is touched
  fastopt_hypers hypers{};
  hypers.lr = 0.1;
  hypers.own[15] = 0.9;
  const fastopt_counters counters{3, 1, 1};
  float state = 0.25;
  fastopt_tensor tensor{};
  tensor.size = 5;
  tensor.own[0] = &state;
  std::vector<double> values(made.uniforms.size());
  evaluate(made.uniforms, made.last_uniforms, {&hypers, &counters, &tensor, nullptr, false},
           values.data());
  EXPECT(values[made.scalars[0].uniform] == 0.1 / (std::pow(0.9, 3) - 5) + 0.25);
}

// The formula of four arrays and two hyper-parameters, as a program and as it stands.
template <class Formula>
void takes(size_t instructions, const char* name, Formula formula) {
  Program program;
  const auto p = program.element(FASTOPT_PARAM), g = program.element(FASTOPT_GRAD),
             m = program.element(FASTOPT_GRAD_AVG), v = program.element(FASTOPT_SQR_AVG);
  const auto lr = program.hyper(&fastopt_hypers::lr), mom = program.hyper(&fastopt_hypers::mom);
  program.store(FASTOPT_SLOW, formula(p, g, m, v, lr, mom));
  const auto made = staged({FASTOPT_PROGRAM}, {program});
  Machine machine;
  EXPECT(!assemble(made.stages[0].items[0].part, {FASTOPT_FLOAT64, FASTOPT_FLOAT64},
                   FASTOPT_PORTABLE, machine));
  EXPECT_FOR(name, machine.instructions.size() == instructions);

  double arrays[5][3] = {{1.5, 2.25, 3}, {0.7, 5, -1.1}, {4, 0.3, 2.5}, {9, 6.5, 0.2}, {}};
  const fastopt_tensor tensor{arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], 3, 0, {}};
  fastopt_hypers hypers{};
  hypers.lr = 0.3;
  hypers.mom = 0.9;
  double values[8];
  evaluate(made.uniforms, made.stages[0].uniforms, {&hypers, nullptr, &tensor, nullptr, true},
           values);
  Workspace workspace(64, true);
  workspace.set(values, nullptr);
  workspace.run(machine, tensor, 0, 3);
  for (int i = 0; i < 3; ++i) {
    const double wanted =
        formula(arrays[0][i], arrays[1][i], arrays[2][i], arrays[3][i], hypers.lr, hypers.mom);
    // Not to the bit: some processors round a product and a sum once, everywhere.
    EXPECT_FOR(name, std::abs(arrays[4][i] - wanted) <= 1e-15 * (1 + std::abs(wanted)));
  }
}

#define TAKES(instructions, formula)                                                       \
  takes(instructions, #formula,                                                            \
        []([[maybe_unused]] auto p, [[maybe_unused]] auto g, [[maybe_unused]] auto m,      \
           [[maybe_unused]] auto v, [[maybe_unused]] auto lr, [[maybe_unused]] auto mom) { \
          using std::sqrt;                                                                 \
          return formula;                                                                  \
        })

void what_saves_a_pass_is_one_instruction() {
  TAKES(1, p * g + m);
  TAKES(1, m + p * g);
  TAKES(1, p * lr + mom);
  TAKES(1, lr + p * g);
  TAKES(1, m - p * g);
  TAKES(1, m - p * lr);
  TAKES(1, lr - mom * p);
  TAKES(1, p * g - m);
  TAKES(1, p * g - lr);
  TAKES(1, p * g + m * v);
  TAKES(1, p * lr + m * mom);
  TAKES(1, p * g + lr * v);
  TAKES(1, p * g - m * v);
  TAKES(1, lr * g - m * mom);
  TAKES(1, p + g / m);
  TAKES(1, g / m + p);
  TAKES(1, p - g / m);
  TAKES(1, p + lr * g / m);
  TAKES(1, p - lr * g / m);
  TAKES(1, sqrt(v) + lr);
  TAKES(1, mom + sqrt(v / lr));
  // Of what has no such instruction, or is needed twice.
  TAKES(2, g / m - p);
  TAKES(2, p + g / lr);
  TAKES(2, lr / g - p);
  TAKES(2, sqrt(v) + p);
  TAKES(2, sqrt(v / p) + lr);
  TAKES(2, p * lr * g);
  TAKES(4, lr * (p * g + m) / (p * g));
}

void bad_programs_are_refused() {
  const auto refusal = [](Program program) {
    Stages made;
    return staged({FASTOPT_PROGRAM}, {program}, made);
  };
  const auto bad_node = [&](int32_t code, int32_t operand, int32_t index) {
    Program program;
    program.element(FASTOPT_PARAM);
    program.store(FASTOPT_GRAD, program.element(FASTOPT_PARAM));  // nodes 1 and 2
    program.add(code, {operand, operand, operand}, index);
    return refusal(program);
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT(bad_node(FASTOPT_NEG, 1, 0) == "");
  EXPECT(has(bad_node(FASTOPT_CODES, 0, 0), "unknown code"));
  EXPECT(has(bad_node(-1, 0, 0), "unknown code"));
  for (const auto code : {FASTOPT_NEG, FASTOPT_ADD, FASTOPT_WHERE, FASTOPT_SUM, FASTOPT_STORE}) {
    EXPECT(has(bad_node(code, -1, 2), "doesn't come before"));
    EXPECT(has(bad_node(code, 3, 2), "doesn't come before"));
    EXPECT(has(bad_node(code, 2, 2), "a store as an operand"));
  }
  EXPECT(has(bad_node(FASTOPT_HYPER, 0, 26), "index out of range"));
  EXPECT(has(bad_node(FASTOPT_COUNTER, 0, 3), "index out of range"));
  for (const auto code : {FASTOPT_ELEMENT, FASTOPT_SCALAR, FASTOPT_STORE, FASTOPT_STORE_SCALAR}) {
    EXPECT(has(bad_node(code, 0, kArrays), "index out of range"));
    EXPECT(has(bad_node(code, 0, -1), "index out of range"));
  }
  EXPECT(has(bad_node(FASTOPT_SCALAR, 0, FASTOPT_PARAM), "parameter or a gradient as a scalar"));
  EXPECT(has(bad_node(FASTOPT_STORE_SCALAR, 0, FASTOPT_OWN), "differs between elements"));
  EXPECT(has(bad_node(FASTOPT_STORE, 0, FASTOPT_GRAD), "stores twice"));
  Program mixed;
  mixed.store(FASTOPT_OWN, mixed.element(FASTOPT_PARAM) * mixed.scalar(FASTOPT_OWN));
  EXPECT(has(refusal(mixed), "both by element and as a scalar"));
  Program averages;
  averages.store_scalar(FASTOPT_GRAD_AVG, averages.constant(1));
  Stages made;
  EXPECT(has(staged({FASTOPT_AVERAGE_GRAD, FASTOPT_PROGRAM}, {averages}, made), "both by element"));
  Program large;
  for (int i = 0; i < 1025; ++i) large.constant(i);
  EXPECT(has(refusal(large), "1,024 nodes"));
  EXPECT(has(staged({FASTOPT_PROGRAM + 1}, {descent()}, made), "unknown to this build"));
  EXPECT(has(staged({FASTOPT_PROGRAM - 1}, {descent()}, made), "unknown to this build"));
}

// Whatever nodes there are, operands of what is made come before it.
void any_nodes_are_refused_or_make_sound_stages() {
  std::mt19937 random(1);
  const auto any = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    Program program;
    const int count = any(1, 12);
    for (int i = 0; i < count; ++i) {
      const int wild = any(0, 60) == 0 ? 1 : 0;
      program.add(any(-wild, FASTOPT_CODES - 1 + wild),
                  {any(-wild, std::max(i - 1, 0) + wild), any(0, i), any(0, i)},
                  any(-wild, 2 + wild), 0.5);
    }
    Stages made;
    if (staged({FASTOPT_PROGRAM, FASTOPT_SGD_STEP, FASTOPT_PROGRAM}, {program}, made) != "")
      continue;
    ++accepted;
    for (size_t i = 0; i < made.uniforms.size(); ++i) {
      for (const auto operand : made.uniforms[i].operands)
        EXPECT(operand < static_cast<int32_t>(i));
    }
    for (size_t s = 0; s < made.stages.size(); ++s) {
      for (const auto number : made.stages[s].uniforms)
        EXPECT(made.uniforms[number].stage <= static_cast<int32_t>(s));
      for (const auto& [callback, part] : made.stages[s].items) {
        const auto size = std::ssize(part.nodes);
        for (int64_t i = 0; i < size; ++i) {
          for (const auto operand : part.nodes[i].operands)
            EXPECT(operand.uniform || (operand.number >= 0 && operand.number < i));
        }
        for (const auto& sum : part.sums) EXPECT(sum.node < size && sum.number < made.sum_count);
        for (const auto& store : part.stores)
          EXPECT(store.value.uniform || store.value.number < size);
      }
    }
  }
  EXPECT(accepted > 1000);
}

}  // namespace

int main() {
  a_list_without_sums_is_one_stage();
  decay_is_done_by_the_programs_after_it();
  decay_is_a_kernel_where_one_is_next_or_no_program_writes_weights();
  a_sum_ends_a_stage_and_later_callbacks_wait_for_the_stores();
  sums_of_sums_take_a_stage_each();
  stores_wait_for_sums_that_they_do_not_need();
  a_stored_scalar_is_what_later_programs_of_the_step_read();
  what_is_constant_or_twice_or_unused_is_computed_once_or_not_at_all();
  powers_become_products_as_in_pytorch();
  uniforms_are_computed_in_float64();
  what_saves_a_pass_is_one_instruction();
  bad_programs_are_refused();
  any_nodes_are_refused_or_make_sound_stages();
  return exit_code();
}
