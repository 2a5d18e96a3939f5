#pragma once
#include <array>
#include <cmath>
#include <random>

#include "fused_program.h"

// The naive twin of programs: all elements of one node after those of another, in float64.
namespace fused_program {

constexpr int kArrays = int{FASTOPT_OWN} + FASTOPT_OWN_STATES;

template <class T>
struct Tensor {
  std::array<std::vector<T>, kArrays> arrays;  // of one element where a state is a scalar
  int64_t size = 0, group = 0;
  bool has_grad = true;
  fastopt_counters n{0, 1, 1};
};

inline double operate(int32_t code, double a, double b, double c) {
  const auto nan = [](double x) { return std::isnan(x); };
  switch (code) {
    case FASTOPT_NEG:
      return -a;
    case FASTOPT_ABS:
      return std::fabs(a);
    case FASTOPT_SIGN:
      return a > 0 ? 1 : a < 0 ? -1 : 0;
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
      return a == 0;
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
      return nan(a) || nan(b) ? NAN : std::fmax(a, b);
    case FASTOPT_MINIMUM:
      return nan(a) || nan(b) ? NAN : std::fmin(a, b);
    case FASTOPT_EQ:
      return a == b;
    case FASTOPT_NE:
      return a != b;
    case FASTOPT_LT:
      return a < b;
    case FASTOPT_LE:
      return a <= b;
    case FASTOPT_AND:
      return a != 0 && b != 0;
    case FASTOPT_OR:
      return a != 0 || b != 0;
    default:
      return a != 0 ? b : c;  // WHERE
  }
}

template <class T>
void interpret(const Program& program, const fastopt_hypers& hypers, Tensor<T>& t) {
  const auto size = static_cast<size_t>(t.size);
  std::vector<std::vector<double>> values;
  for (const auto& node : program.nodes) {
    // One value more than there are elements: what all have in common is also known of no element.
    std::vector<double> made(size + 1, node.value);
    const auto operand = [&](int32_t number, size_t i) {
      return number >= 0 && number < std::ssize(values) ? values[number][i] : 0;
    };
    double sum = 0;
    if (node.code == FASTOPT_SUM)
      for (size_t i = 0; i < size; ++i) sum += values[node.a][i];
    for (size_t i = 0; i <= size; ++i) {
      if (node.code == FASTOPT_HYPER) made[i] = (&hypers.lr)[node.index];
      if (node.code == FASTOPT_COUNTER) made[i] = (&t.n.step)[node.index];
      if (node.code == FASTOPT_SIZE) made[i] = static_cast<double>(size);
      if (node.code == FASTOPT_ELEMENT) made[i] = i < size ? t.arrays[node.index][i] : 0;
      if (node.code == FASTOPT_SCALAR) made[i] = t.arrays[node.index][0];
      if (node.code == FASTOPT_SUM) made[i] = sum;
      if (node.code >= FASTOPT_NEG && node.code < FASTOPT_SUM)
        made[i] = operate(node.code, operand(node.a, i), operand(node.b, i), operand(node.c, i));
    }
    values.push_back(std::move(made));
  }
  for (const auto& node : program.nodes) {
    if (node.code == FASTOPT_STORE_SCALAR)
      t.arrays[node.index][0] = static_cast<T>(values[node.a][size]);
    for (size_t i = 0; node.code == FASTOPT_STORE && i < size; ++i)
      t.arrays[node.index][i] = static_cast<T>(values[node.a][i]);
  }
}

// Tensors of these sizes with random arrays; states whose bits are set in `scalars` have one
// element.
template <class T>
std::vector<Tensor<T>> random_tensors(std::initializer_list<int64_t> sizes, unsigned scalars,
                                      std::mt19937& random) {
  std::normal_distribution<double> normal;
  std::vector<Tensor<T>> made;
  for (const auto size : sizes) {
    auto& t = made.emplace_back();
    t.size = size;
    t.group = std::ssize(made) % 2;
    for (int a = 0; a < kArrays; ++a) {
      t.arrays[a].resize(scalars >> a & 1 ? 1 : size);
      for (auto& x : t.arrays[a]) x = static_cast<T>(normal(random));
      if (a == FASTOPT_SQR_AVG)
        for (auto& x : t.arrays[a]) x = std::abs(x);
    }
  }
  return made;
}

// A few nodes over arrays and a state of one element. Of close numbers the machines, which round
// less, may compare otherwise: none are compared.
inline Program random_program(int32_t scalar, std::mt19937& random) {
  const auto any = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  Program program;
  for (const int array : {0, 1, 2, 3, 6, 7}) program.element(array);
  program.scalar(scalar);
  program.hyper(&fastopt_hypers::mom);
  for (int i = any(1, 14); i > 0; --i) {
    int code;
    do {
      code = any(FASTOPT_NEG, FASTOPT_SUM);
    } while (code == FASTOPT_SIGN || code == FASTOPT_NOT || code == FASTOPT_EXP ||
             code == FASTOPT_EXPM1 || (code >= FASTOPT_EQ && code <= FASTOPT_OR) ||
             code == FASTOPT_POW || code == FASTOPT_LOG || code == FASTOPT_LOG1P ||
             (code == FASTOPT_SUM && any(0, 3) > 0));
    const auto last = static_cast<int>(program.nodes.size()) - 1;
    if (code == FASTOPT_WHERE)
      program.add(code, {0, any(0, last), any(0, last)});
    else
      program.add(code, {any(0, last), any(0, last), 0});
  }
  const auto last = static_cast<int>(program.nodes.size()) - 1;
  for (const int array : {0, 1, 2, 3, 6, 7})
    if (any(0, 2) == 0) program.add(FASTOPT_STORE, {any(0, last)}, array);
  return program;
}

// The tensors in a plan of these callbacks and programs.
template <class T>
class Planned {
 public:
  Planned(std::vector<Tensor<T>>& tensors, const std::vector<int32_t>& callbacks,
          const std::vector<Program>& programs, fastopt_isa isa = FASTOPT_BEST) {
    std::vector<fastopt_tensor> table;
    for (auto& t : tensors) {
      auto* data = t.arrays.data();
      auto& made = table.emplace_back(fastopt_tensor{data[0].data(),
                                                     data[1].data(),
                                                     data[2].data(),
                                                     data[3].data(),
                                                     data[4].data(),
                                                     t.size,
                                                     t.group,
                                                     {}});
      // An empty tensor has a gradient too.
      if (t.size == 0) made.grad = &t;
      if (!t.has_grad) made.grad = nullptr;
      for (int i = 0; i < FASTOPT_OWN_STATES; ++i) made.own[i] = data[FASTOPT_OWN + i].data();
      counters_.push_back(t.n);
    }
    std::vector<fastopt_program> list;
    for (const auto& program : programs)
      list.push_back({program.nodes.data(), std::ssize(program.nodes)});
    fastopt_plan_options options{};
    options.dtype = options.state_dtype = sizeof(T) == 8 ? FASTOPT_FLOAT64 : FASTOPT_FLOAT32;
    options.isa = isa;
    options.callbacks = callbacks.data();
    options.callback_count = std::ssize(callbacks);
    options.programs = list.data();
    options.program_count = std::ssize(list);
    options.tensors = table.data();
    options.tensor_count = std::ssize(table);
    problem = fastopt_plan_create(&options, &plan_);
  }
  ~Planned() { fastopt_plan_destroy(plan_); }
  Planned(const Planned&) = delete;

  void step(const std::vector<fastopt_hypers>& hypers, fastopt_pool* pool = nullptr) {
    fastopt_plan_step(plan_, hypers.data(), counters_.data(), pool ? fastopt_pool_run : nullptr,
                      pool);
  }

  const char* problem;

 private:
  fastopt_plan* plan_ = nullptr;
  std::vector<fastopt_counters> counters_;
};

template <class T>
bool are_close(const Tensor<T>& a, const Tensor<T>& b, double tolerance) {
  for (int array = 0; array < kArrays; ++array) {
    const auto &of_a = a.arrays[array], &of_b = b.arrays[array];
    for (size_t i = 0; i < of_a.size(); ++i) {
      if (std::isnan(of_a[i]) && std::isnan(of_b[i])) continue;
      if (of_a[i] == of_b[i]) continue;
      if (!(std::abs(of_a[i] - of_b[i]) <= tolerance * (1 + std::abs(of_b[i])))) return false;
    }
  }
  return true;
}

}  // namespace fused_program
