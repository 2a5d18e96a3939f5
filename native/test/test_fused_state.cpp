#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include <cstring>

#include "check.h"
#include "fused_interpreter.h"
#include "fused_twin.h"

using namespace fused_twin;

// State in bfloat16, half as wide as what is computed with.
namespace {

float widen(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// To the nearest, of two as near to the one that ends in 0.
uint16_t narrow(float value) {
  if (std::isnan(value)) return 0x7fc0;
  const auto bits = std::bit_cast<uint32_t>(value);
  auto kept = static_cast<uint16_t>(bits >> 16);
  const uint32_t rest = bits & 0xffff;
  if (rest > 0x8000 || (rest == 0x8000 && kept % 2 == 1)) ++kept;
  return kept;
}

struct Options {
  fastopt_dtype dtype = FASTOPT_FLOAT32;
  fastopt_dtype state_dtype = FASTOPT_BFLOAT16;
  fastopt_isa isa = FASTOPT_BEST;
};

// Why there is no such plan, else null and the tensor is stepped.
const char* step(const Options& wanted, std::span<const int32_t> callbacks,
                 const std::vector<fused_program::Program>& programs, const fastopt_tensor& tensor,
                 const fastopt_hypers& hypers, int steps = 1) {
  std::vector<fastopt_program> list;
  for (const auto& program : programs)
    list.push_back({program.nodes.data(), std::ssize(program.nodes)});
  fastopt_plan_options options{};
  options.dtype = wanted.dtype;
  options.state_dtype = wanted.state_dtype;
  options.isa = wanted.isa;
  options.callbacks = callbacks.data();
  options.callback_count = std::ssize(callbacks);
  options.programs = list.data();
  options.program_count = std::ssize(list);
  options.tensors = &tensor;
  options.tensor_count = 1;
  fastopt_plan* plan = nullptr;
  if (const char* problem = fastopt_plan_create(&options, &plan)) return problem;
  fastopt_counters n{0, 1, 1};
  for (int i = 0; i < steps; ++i) fastopt_plan_step(plan, &hypers, &n, nullptr, nullptr);
  fastopt_plan_destroy(plan);
  return nullptr;
}

fastopt_hypers some_hypers() {
  fastopt_hypers hypers{};
  hypers.lr = 0.01;
  hypers.mom = 0.9;
  hypers.sqr_mom = 0.99;
  hypers.eps = 1e-3;
  return hypers;
}

// By a kernel into grad_avg, and by a program into a state of its own.
void stores_round_to_nearest_even() {
  using Limits = std::numeric_limits<float>;
  std::vector<float> g{
      0,     -0.0f,   1,      1 + 0x1p-8f,        1 + 0x3p-8f,         -1 - 0x1p-8f,
      1e38f, 3.4e38f, 1e-40f, Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()};
  for (uint32_t bits = 0x3f7f0000; bits < 0x3f830000; bits += 0x1fff)
    g.push_back(std::bit_cast<float>(bits));
  auto hypers = some_hypers();
  hypers.mom = 0;
  fused_program::Program copy;
  copy.store(FASTOPT_OWN, copy.element(FASTOPT_GRAD));
  const int32_t callbacks[] = {FASTOPT_AVERAGE_GRAD, FASTOPT_PROGRAM};
  for (const auto isa : {FASTOPT_PORTABLE, FASTOPT_BEST}) {
    std::vector<uint16_t> average(g.size()), own(g.size());
    fastopt_tensor tensor{nullptr, g.data(), average.data(), nullptr, nullptr, std::ssize(g),
                          0,       {}};
    tensor.own[0] = own.data();
    EXPECT(!step({.isa = isa}, callbacks, {copy}, tensor, hypers));
    for (size_t i = 0; i < g.size(); ++i) {
      for (const auto stored : {average[i], own[i]}) {
        if (std::isnan(g[i]))
          EXPECT(std::isnan(widen(stored)));
        else
          EXPECT_FOR(std::to_string(g[i]), widen(stored) == widen(narrow(g[i])));
      }
    }
  }
}

// A number to every element, and from it to the parameter.
void a_uniform_is_stored_rounded_and_read_as_stored() {
  std::vector<float> p(100, 1), g(100);
  std::vector<uint16_t> own(100);
  fused_program::Program fill, add;
  fill.store(FASTOPT_OWN, fill.constant(1 + 0x1p-7 + 0x1p-8));
  const auto was = add.element(FASTOPT_PARAM);
  add.store(FASTOPT_PARAM, was + add.element(FASTOPT_OWN));
  fastopt_tensor tensor{p.data(), g.data(), nullptr, nullptr, nullptr, 100, 0, {}};
  tensor.own[0] = own.data();
  const int32_t callbacks[] = {FASTOPT_PROGRAM, FASTOPT_PROGRAM + 1};
  EXPECT(!step({}, callbacks, {fill, add}, tensor, some_hypers()));
  EXPECT(p == std::vector<float>(100, 2 + 0x1p-6f));
}

// The composed loop, against the twin whose averages are rounded after each step.
void nadam_follows_the_twin() {
  const Callbacks nadam{FASTOPT_AVERAGE_GRAD_DAMPENED, FASTOPT_AVERAGE_SQR_GRAD_DAMPENED,
                        FASTOPT_STEP_STAT, FASTOPT_NADAM_STEP};
  const auto hypers = some_hypers();
  std::mt19937 random(1);
  for (const auto isa : {FASTOPT_PORTABLE, FASTOPT_BEST}) {
    std::vector twins{random_tensor<float>(3001, 0, random)};
    auto& twin = twins[0];
    auto p = twin.p, g = twin.g;
    std::vector<uint16_t> m(p.size()), v(p.size());
    const fastopt_tensor tensor{p.data(), g.data(), m.data(), v.data(), nullptr, 3001, 0, {}};
    EXPECT(!step({.isa = isa}, nadam, {}, tensor, hypers, 5));
    for (int i = 0; i < 5; ++i) {
      naive_step(twins, nadam, {hypers});
      for (auto& x : twin.m) x = widen(narrow(x));
      for (auto& x : twin.v) x = widen(narrow(x));
    }
    EXPECT(close(p, twin.p, 1e-4));  // of steps of 0.01
    int other = 0;
    for (size_t i = 0; i < p.size(); ++i) {
      // Where it lay half-way, the last bit of either may be rounded up.
      EXPECT(std::abs(widen(m[i]) - twin.m[i]) <= std::abs(twin.m[i]) / 64);
      EXPECT(std::abs(widen(v[i]) - twin.v[i]) <= std::abs(twin.v[i]) / 64);
      other += widen(m[i]) != twin.m[i];
    }
    EXPECT(other < 30);
  }
}

// Parameters, gradients and state of half the width.
void bfloat16_parameters_may_have_bfloat16_state() {
  std::vector<uint16_t> p(40, narrow(1)), g(40, narrow(0.5)), m(40, narrow(2));
  const fastopt_tensor tensor{p.data(), g.data(), m.data(), nullptr, nullptr, 40, 0, {}};
  auto hypers = some_hypers();
  hypers.mom = 0.5;
  hypers.lr = 0.25;
  const int32_t momentum[] = {FASTOPT_AVERAGE_GRAD, FASTOPT_MOMENTUM_STEP};
  EXPECT(!step({.dtype = FASTOPT_BFLOAT16}, momentum, {}, tensor, hypers));
  EXPECT(m == std::vector<uint16_t>(40, narrow(1.5)));
  EXPECT(p == std::vector<uint16_t>(40, narrow(0.625)));
}

// A program that reads and writes arrays of three widths; the bits of float16 are 1 and 1.5.
void float16_parameters_may_have_bfloat16_state_where_the_compiler_knows_them() {
  std::vector<uint16_t> p(1100, 0x3c00), g(1100, 0x3c00), m(1100, narrow(2));
  std::vector<float> slow(1100, 8);
  fused_program::Program program;
  const auto was = program.element(FASTOPT_PARAM), average = program.element(FASTOPT_GRAD_AVG);
  program.store(FASTOPT_PARAM, was + average * 0.25);
  program.store(FASTOPT_GRAD_AVG, program.element(FASTOPT_SLOW) - program.element(FASTOPT_GRAD));
  program.store(FASTOPT_SLOW, average);
  program.store(FASTOPT_GRAD, program.constant(1.5));
  const fastopt_tensor tensor{p.data(), g.data(), m.data(), nullptr, slow.data(), 1100, 0, {}};
  const int32_t callbacks[] = {FASTOPT_PROGRAM};
  if (step({.dtype = FASTOPT_FLOAT16}, callbacks, {program}, tensor, some_hypers())) return;
  EXPECT(p == std::vector<uint16_t>(1100, 0x3e00));
  EXPECT(g == std::vector<uint16_t>(1100, 0x3e00));
  EXPECT(m == std::vector<uint16_t>(1100, narrow(7)));
  EXPECT(slow == std::vector<float>(1100, 2));
}

size_t width(fastopt_dtype dtype) {
  return dtype == FASTOPT_FLOAT64 ? 8 : dtype == FASTOPT_FLOAT32 ? 4 : 2;
}

// A number of few bits as it is stored, and back.
void store(double value, fastopt_dtype dtype, std::byte* to) {
  const auto write = [&](auto stored) { std::memcpy(to, &stored, sizeof stored); };
  if (dtype == FASTOPT_FLOAT64) return write(value);
  if (dtype == FASTOPT_FLOAT32) return write(static_cast<float>(value));
  if (dtype == FASTOPT_BFLOAT16) return write(narrow(static_cast<float>(value)));
  int exponent;
  const auto fraction = std::frexp(std::abs(value), &exponent);  // from 0.5 up to 1
  const auto bits = (exponent + 14) * 1024 + static_cast<int>((2 * fraction - 1) * 1024);
  write(static_cast<uint16_t>((std::signbit(value) ? 0x8000 : 0) + (value == 0 ? 0 : bits)));
}

double load(fastopt_dtype dtype, const std::byte* from) {
  const auto read = [&](auto stored) {
    std::memcpy(&stored, from, sizeof stored);
    return stored;
  };
  if (dtype == FASTOPT_FLOAT64) return read(double());
  if (dtype == FASTOPT_FLOAT32) return read(float());
  const auto bits = read(uint16_t());
  if (dtype == FASTOPT_BFLOAT16) return widen(bits);
  const auto magnitude = std::ldexp(1024 + bits % 1024, (bits >> 10 & 31) - 25);
  return (bits >> 15 ? -1 : 1) * ((bits & 0x7fff) == 0 ? 0 : magnitude);
}

// A program of random nodes whose values are whole numbers, and what it stores small ones.
fused_program::Program random_program(std::mt19937& random) {
  const auto any = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  fused_program::Program program;
  for (const int array : {0, 1, 2, 3, 4, 6, 7}) program.element(array);
  program.scalar(FASTOPT_OWN);
  const auto low = program.constant(-9), high = program.constant(9);
  const auto clamp = [&](fused_program::Term x) {
    return op(FASTOPT_MINIMUM, op(FASTOPT_MAXIMUM, x, low), high);
  };
  const auto one_of_all = [&] { return any(0, static_cast<int>(program.nodes.size()) - 1); };
  const int32_t codes[] = {
      FASTOPT_NEG, FASTOPT_ABS, FASTOPT_SIGN,    FASTOPT_NOT,     FASTOPT_ADD,   FASTOPT_SUB,
      FASTOPT_MUL, FASTOPT_MUL, FASTOPT_MAXIMUM, FASTOPT_MINIMUM, FASTOPT_EQ,    FASTOPT_NE,
      FASTOPT_LT,  FASTOPT_LE,  FASTOPT_AND,     FASTOPT_OR,      FASTOPT_WHERE, FASTOPT_SUM};
  for (int i = any(1, 10); i > 0; --i) {
    const auto made = program.add(codes[any(0, 17)], {one_of_all(), one_of_all(), one_of_all()});
    const auto code = program.nodes.back().code;
    if (code == FASTOPT_MUL || code == FASTOPT_SUM) clamp(made);
  }
  std::vector<fused_program::Term> values;
  for (int i = any(1, 4); i > 0; --i) values.push_back(clamp({&program, one_of_all()}));
  for (const int array : {0, 1, 2, 3, 4, 6, 7})
    if (any(0, 1) == 0)
      program.store(array, any(0, 3) == 0 ? fused_program::Term{&program, any(0, 6)}
                                          : values[any(0, static_cast<int>(values.size()) - 1)]);
  return program;
}

// Whatever the types, of whole numbers that all of them hold.
void every_type_gives_the_same_for_small_whole_numbers() {
  std::mt19937 random(6);
  constexpr int64_t size = 530;
  const auto dtype_of = [](int array, const Options& types) {
    const auto wide = types.dtype == FASTOPT_FLOAT64 ? FASTOPT_FLOAT64 : FASTOPT_FLOAT32;
    if (array == FASTOPT_SLOW || array == FASTOPT_OWN) return wide;
    return array <= FASTOPT_GRAD ? types.dtype : types.state_dtype;
  };
  const Options all[] = {{FASTOPT_FLOAT64, FASTOPT_FLOAT64},   {FASTOPT_FLOAT32, FASTOPT_FLOAT32},
                         {FASTOPT_FLOAT32, FASTOPT_BFLOAT16},  {FASTOPT_BFLOAT16, FASTOPT_FLOAT32},
                         {FASTOPT_BFLOAT16, FASTOPT_BFLOAT16}, {FASTOPT_FLOAT16, FASTOPT_FLOAT32},
                         {FASTOPT_FLOAT16, FASTOPT_BFLOAT16}};
  for (int round = 0; round < 300; ++round) {
    const std::vector programs{random_program(random), random_program(random)};
    auto start = fused_program::random_tensors<double>({size}, 1u << FASTOPT_OWN, random)[0];
    for (auto& array : start.arrays)
      for (auto& x : array) x = std::round(2 * x);
    auto twin = start;
    for (const auto& program : programs) fused_program::interpret(program, {}, twin);
    for (const auto& types : all) {
      std::vector<std::vector<std::byte>> stored;
      for (int a = 0; a < fused_program::kArrays; ++a) {
        stored.emplace_back(8 * size);
        for (size_t i = 0; i < start.arrays[a].size(); ++i)
          store(start.arrays[a][i], dtype_of(a, types), &stored[a][i * width(dtype_of(a, types))]);
      }
      fastopt_tensor tensor{stored[0].data(),
                            stored[1].data(),
                            stored[2].data(),
                            stored[3].data(),
                            stored[4].data(),
                            size,
                            0,
                            {}};
      for (int i = 0; i < FASTOPT_OWN_STATES; ++i) tensor.own[i] = stored[FASTOPT_OWN + i].data();
      const int32_t callbacks[] = {FASTOPT_PROGRAM, FASTOPT_PROGRAM + 1};
      const char* problem = step(types, callbacks, programs, tensor, {});
      if (problem && types.dtype == FASTOPT_FLOAT16) continue;  // the compiler doesn't know it
      EXPECT(!problem);
      bool same = true;
      for (int a = 0; a < fused_program::kArrays; ++a)
        for (size_t i = 0; i < twin.arrays[a].size(); ++i)
          same &= twin.arrays[a][i] ==
                  load(dtype_of(a, types), &stored[a][i * width(dtype_of(a, types))]);
      EXPECT_FOR(std::to_string(round) + ", " + std::to_string(&types - all), same);
    }
  }
}

// A scalar is of the type that is computed with, whatever other state is.
void scalars_are_never_bfloat16() {
  float p = 1, g = 1, scalar = 1;
  fused_program::Program program;
  program.store_scalar(FASTOPT_OWN, program.scalar(FASTOPT_OWN) + 0x1p-20);
  fastopt_tensor tensor{&p, &g, nullptr, nullptr, nullptr, 1, 0, {}};
  tensor.own[0] = &scalar;
  const int32_t callbacks[] = {FASTOPT_PROGRAM};
  EXPECT(!step({}, callbacks, {program}, tensor, some_hypers(), 3));
  EXPECT(scalar == 1 + 0x3p-20f);
}

void other_widths_are_refused() {
  float p = 1, g = 1;
  const fastopt_tensor tensor{&p, &g, nullptr, nullptr, nullptr, 1, 0, {}};
  const int32_t sgd[] = {FASTOPT_SGD_STEP};
  const auto refused = [&](fastopt_dtype dtype, fastopt_dtype state_dtype) {
    return step({dtype, state_dtype}, sgd, {}, tensor, some_hypers()) != nullptr;
  };
  EXPECT(!refused(FASTOPT_FLOAT32, FASTOPT_BFLOAT16));
  EXPECT(refused(FASTOPT_FLOAT64, FASTOPT_BFLOAT16));
  EXPECT(refused(FASTOPT_FLOAT64, FASTOPT_FLOAT32));
  EXPECT(refused(FASTOPT_FLOAT32, FASTOPT_FLOAT64));
  EXPECT(refused(FASTOPT_BFLOAT16, FASTOPT_FLOAT16));
}

}  // namespace

int main() {
  stores_round_to_nearest_even();
  a_uniform_is_stored_rounded_and_read_as_stored();
  nadam_follows_the_twin();
  bfloat16_parameters_may_have_bfloat16_state();
  float16_parameters_may_have_bfloat16_state_where_the_compiler_knows_them();
  every_type_gives_the_same_for_small_whole_numbers();
  scalars_are_never_bfloat16();
  other_widths_are_refused();
  return exit_code();
}
