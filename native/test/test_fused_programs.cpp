#include <atomic>
#include <cstdlib>
#include <functional>
#include <limits>
#include <new>

#include "check.h"
#include "fused_interpreter.h"

using namespace fused_program;

static std::atomic<int> allocations = 0;

void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace {

constexpr int32_t kLocalLr = FASTOPT_OWN, kDiffAvg = FASTOPT_OWN + 1, kLastGrad = FASTOPT_OWN + 2;
constexpr int32_t kTrustCoeff = 0, kDiffMom = 1, kBeta = 2;  // own hypers
constexpr unsigned kScalars = 1u << kLocalLr;

const std::vector<fastopt_hypers> kHypers = [] {
  fastopt_hypers first{};
  first.lr = 1e-2;
  first.mom = 0.9;
  first.sqr_mom = 0.99;
  first.eps = 1e-8;
  first.wd = 0.01;
  first.own[kTrustCoeff] = 0.02;
  first.own[kDiffMom] = 0.92;
  first.own[kBeta] = 50;
  auto second = first;
  second.lr = 1e-3;
  second.mom = 0.8;
  second.own[kBeta] = 1;
  return std::vector{first, second};
}();

// What callbacks of TypeScript record (lib/optim).
struct Formulas : Program {
  Term p = element(FASTOPT_PARAM), g = element(FASTOPT_GRAD), m = element(FASTOPT_GRAD_AVG),
       v = element(FASTOPT_SQR_AVG);
  Term lr = hyper(&fastopt_hypers::lr), mom = hyper(&fastopt_hypers::mom),
       sqr_mom = hyper(&fastopt_hypers::sqr_mom), eps = hyper(&fastopt_hypers::eps),
       wd = hyper(&fastopt_hypers::wd);

  Formulas() = default;
  Formulas(const Formulas&) = delete;

  Term debias(Term decay) { return 1 - op(FASTOPT_POW, decay, step()); }
  Term denom() { return sqrt(v / debias(sqr_mom)) + eps; }
};

Program made(const std::function<void(Formulas&)>& write) {
  Formulas formulas;
  write(formulas);
  return formulas;
}

Program average_grad() {
  return made([](auto& f) { f.store(FASTOPT_GRAD_AVG, f.m * f.mom + f.g * (1 - f.mom)); });
}

Program average_sqr_grad() {
  return made(
      [](auto& f) { f.store(FASTOPT_SQR_AVG, f.v * f.sqr_mom + (1 - f.sqr_mom) * f.g * f.g); });
}

Program nadam_step() {
  return made([](auto& f) {
    const auto num = f.m * f.mom + f.g * (1 - f.mom);
    f.store(FASTOPT_PARAM, f.p - f.lr / f.debias(f.mom) * num / f.denom());
  });
}

Program larc_layer_lr() {
  return made([](auto& f) {
    const auto p_norm = sqrt(sum(f.p * f.p)), g_norm = sqrt(sum(f.g * f.g));
    const auto local =
        p_norm * (f.lr * f.own_hyper(kTrustCoeff)) / (g_norm + p_norm * f.wd + f.eps);
    f.store_scalar(kLocalLr, op(FASTOPT_MINIMUM, local, f.lr));
  });
}

Program larc_step() {
  return made([](auto& f) { f.store(FASTOPT_PARAM, f.p - f.m * f.scalar(kLocalLr)); });
}

Program lamb_step() {
  return made([](auto& f) {
    const auto s = f.m / f.debias(f.mom) / f.denom();
    const auto r1 = rms(f.p), r2 = rms(s);
    const auto is_zero = op(FASTOPT_OR, op(FASTOPT_EQ, r1, 0.), op(FASTOPT_EQ, r2, 0.));
    const auto q = op(FASTOPT_WHERE, is_zero, f.constant(1), op(FASTOPT_MINIMUM, r1 / r2, 10.));
    f.store(FASTOPT_PARAM, f.p - s * q * f.lr);
  });
}

Program stable_adam_step() {
  return made([](auto& f) {
    const auto denom = f.denom();
    const auto excess = op(FASTOPT_MAXIMUM, rms(f.g / denom), 1.);
    f.store(FASTOPT_PARAM, f.p - f.lr / f.debias(f.mom) * f.m / (denom * excess));
  });
}

// In the first step there was no gradient before.
Program average_diff() {
  return made([](auto& f) {
    const auto mom = f.own_hyper(kDiffMom);
    const auto last = op(FASTOPT_WHERE, op(FASTOPT_LE, f.step(), 1.), f.g, f.element(kLastGrad));
    const auto diff = f.g - last, ahead = f.g + mom * diff;
    f.store(kDiffAvg, f.element(kDiffAvg) * mom + diff * (1 - mom));
    f.store(FASTOPT_SQR_AVG, f.v * f.sqr_mom + (1 - f.sqr_mom) * ahead * ahead);
    f.store(kLastGrad, f.g);
  });
}

Program adan_step() {
  return made([](auto& f) {
    const auto mom = f.own_hyper(kDiffMom), denom = f.denom();
    f.store(FASTOPT_PARAM, f.p - f.lr / f.debias(f.mom) * f.m / denom -
                               f.lr * mom / f.debias(mom) * f.element(kDiffAvg) / denom);
  });
}

Program radam_step() {
  return made([](auto& f) {
    const auto d2 = f.debias(f.sqr_mom), r_inf = 2 / (1 - f.sqr_mom) - 1;
    const auto r = r_inf - 2 * f.step() * (1 - d2) / d2;
    const auto v = ((r - 4) * (r - 2) * r_inf) / ((r_inf - 4) * (r_inf - 2) * r);
    const auto beta = f.own_hyper(kBeta), denom = f.denom();
    // softplus, as PyTorch's
    const auto soft = op(FASTOPT_WHERE, op(FASTOPT_LT, f.constant(20), denom * beta), denom,
                         op(FASTOPT_LOG1P, op(FASTOPT_EXP, denom * beta)) / beta);
    const auto step = f.lr / f.debias(f.mom) * f.m;
    f.store(FASTOPT_PARAM,
            f.p - op(FASTOPT_WHERE, op(FASTOPT_LT, f.constant(5), r), sqrt(v) * step / soft, step));
  });
}

struct Case {
  const char* name;
  std::vector<int32_t> before;  // built-in callbacks
  std::vector<Program> programs;
};

std::vector<Case> cases() {
  const int32_t decay = FASTOPT_WEIGHT_DECAY, count = FASTOPT_STEP_STAT;
  const int32_t avg = FASTOPT_AVERAGE_GRAD_DAMPENED, sqr = FASTOPT_AVERAGE_SQR_GRAD_DAMPENED;
  std::vector<Case> all;
  all.push_back({"NAdam", {decay, count}, {average_grad(), average_sqr_grad(), nadam_step()}});
  all.push_back({"NAdam after kernels", {decay, avg, sqr, count}, {nadam_step()}});
  all.push_back({"Larc", {decay}, {larc_layer_lr(), average_grad(), larc_step()}});
  all.push_back({"Lamb", {avg, sqr, count}, {lamb_step()}});
  all.push_back({"StableAdam", {decay, avg, sqr, count}, {stable_adam_step()}});
  all.push_back({"Adan", {decay, avg, count}, {average_diff(), adan_step()}});
  all.push_back({"RAdam", {avg, sqr, count}, {radam_step()}});
  all.push_back({"two with sums", {count}, {lamb_step(), stable_adam_step(), larc_layer_lr()}});
  return all;
}

// The built-in callbacks of `cases` as programs, for the twin.
Program twin_of(int32_t callback) {
  if (callback == FASTOPT_AVERAGE_GRAD_DAMPENED) return average_grad();
  if (callback == FASTOPT_AVERAGE_SQR_GRAD_DAMPENED) return average_sqr_grad();
  return made([](auto& f) { f.store(FASTOPT_PARAM, f.p * (1 - f.lr * f.wd)); });
}

constexpr int kSteps = 4;

template <class T>
void follow_the_twin(double tolerance) {
  std::mt19937 random(1);
  auto start =
      random_tensors<T>({0, 1, 7, 8, 1023, 1024, 1025, 3, 70001, 0, 500}, kScalars, random);
  start[5].has_grad = false;
  start[6].n.step = 7;
  for (auto& x : start[7].arrays[FASTOPT_PARAM]) x = 0;  // a norm of 0
  auto* pool = fastopt_pool_create(3);
  for (const auto& [name, before, programs] : cases()) {
    auto callbacks = before;
    for (int32_t i = 0; i < std::ssize(programs); ++i) callbacks.push_back(FASTOPT_PROGRAM + i);
    auto twins = start;
    for (int i = 0; i < kSteps; ++i) {
      for (auto& twin : twins) {
        if (!twin.has_grad) continue;
        for (const auto callback : before) {
          if (callback == FASTOPT_STEP_STAT)
            ++twin.n.step;
          else
            interpret(twin_of(callback), kHypers[twin.group], twin);
        }
        for (const auto& program : programs) interpret(program, kHypers[twin.group], twin);
      }
    }
    for (const auto isa : {FASTOPT_BEST, FASTOPT_PORTABLE, FASTOPT_AVX2, FASTOPT_AVX512}) {
      auto tensors = start, alone = start;
      Planned<T> planned(tensors, callbacks, programs, isa), same(alone, callbacks, programs, isa);
      if (isa > FASTOPT_PORTABLE && planned.problem) continue;
      EXPECT_FOR(name, planned.problem == nullptr);
      for (int i = 0; i < kSteps; ++i) {
        planned.step(kHypers, pool);
        same.step(kHypers);
      }
      for (size_t i = 0; i < tensors.size(); ++i) {
        EXPECT_FOR(name + (" " + std::to_string(i)), are_close(tensors[i], twins[i], tolerance));
        EXPECT_FOR(name, are_close(tensors[i], alone[i], 0));  // threads make no difference
      }
    }
  }
  fastopt_pool_destroy(pool);
}

void many_small_tensors_have_sums_of_their_own() {
  std::mt19937 random(4);
  std::vector<Tensor<float>> tensors;
  for (int64_t i = 0; i < 5000; ++i) {
    tensors.push_back(random_tensors<float>({i % 97}, kScalars, random)[0]);
    tensors.back().group = i % 2;
    tensors.back().has_grad = i % 7 != 0;
  }
  auto twins = tensors;
  const std::vector programs{larc_layer_lr(), average_grad(), larc_step()};
  auto* pool = fastopt_pool_create(4);
  Planned<float> planned(tensors, {FASTOPT_PROGRAM, FASTOPT_PROGRAM + 1, FASTOPT_PROGRAM + 2},
                         programs);
  planned.step(kHypers, pool);
  for (size_t i = 0; i < tensors.size(); ++i) {
    for (const auto& program : programs)
      if (twins[i].has_grad) interpret(program, kHypers[twins[i].group], twins[i]);
    EXPECT_FOR(std::to_string(i), are_close(tensors[i], twins[i], 1e-5));
  }
  fastopt_pool_destroy(pool);
}

// Whatever is stored where and read later: two programs of random nodes, with a kernel between.
void random_programs_do_as_their_twins() {
  std::mt19937 random(2);
  for (int round = 0; round < 1000; ++round) {
    auto twins = random_tensors<double>({1, 70, 1100}, kScalars, random), tensors = twins;
    const std::vector programs{random_program(kLocalLr, random), random_program(kLocalLr, random)};
    Planned<double> planned(tensors, {FASTOPT_PROGRAM, FASTOPT_WEIGHT_DECAY, FASTOPT_PROGRAM + 1},
                            programs);
    EXPECT(planned.problem == nullptr);
    planned.step(kHypers);
    for (auto& twin : twins) {
      const auto& hypers = kHypers[twin.group];
      interpret(programs[0], hypers, twin);
      interpret(twin_of(FASTOPT_WEIGHT_DECAY), hypers, twin);
      interpret(programs[1], hypers, twin);
    }
    for (size_t i = 0; i < tensors.size(); ++i)
      EXPECT_FOR(std::to_string(round), are_close(tensors[i], twins[i], 1e-6));
  }
}

// All that an operation may meet, by every operation and with a uniform on either side.
template <class T>
void special_values_go_where_the_twin_sends_them() {
  using Limits = std::numeric_limits<T>;
  const T specials[] = {0,
                        T(-0.0),
                        1,
                        -1,
                        T(2.5),
                        Limits::infinity(),
                        -Limits::infinity(),
                        T(3),
                        Limits::quiet_NaN(),
                        Limits::denorm_min(),
                        Limits::max(),
                        T(0.5)};
  Tensor<T> start;
  for (const auto a : specials) {
    for (const auto b : specials) {
      start.arrays[FASTOPT_PARAM].push_back(a);
      start.arrays[FASTOPT_GRAD].push_back(b);
      start.arrays[FASTOPT_GRAD_AVG].push_back(0);
    }
  }
  start.size = std::ssize(start.arrays[0]);
  for (int32_t code = FASTOPT_NEG; code < FASTOPT_SUM; ++code) {
    for (int uniform = -1; uniform < std::ssize(specials); ++uniform) {
      // A root, of which PyTorch's differs: -inf to the power of 0.5 (see test_program.cpp).
      if (code == FASTOPT_POW && uniform >= 0 && specials[uniform] == T(0.5)) continue;
      for (const int side : {0, 1, 2}) {
        Program program;
        int32_t operands[] = {program.element(FASTOPT_PARAM).node,
                              program.element(FASTOPT_GRAD).node,
                              program.element(FASTOPT_GRAD).node};
        if (uniform >= 0) operands[side] = program.constant(specials[uniform]).node;
        const auto made = program.add(code, {operands[0], operands[1], operands[2]});
        program.store(FASTOPT_GRAD_AVG, made);
        for (const auto isa : {FASTOPT_PORTABLE, FASTOPT_BEST}) {
          std::vector tensors{start}, twins{start};
          Planned<T> planned(tensors, {FASTOPT_PROGRAM}, {program}, isa);
          EXPECT(planned.problem == nullptr);
          planned.step(kHypers);
          interpret(program, kHypers[0], twins[0]);
          EXPECT_FOR(std::to_string(code) + "," + std::to_string(uniform),
                     are_close(tensors[0], twins[0], 4 * Limits::epsilon()));
        }
      }
    }
  }
}

void many_values_at_once_take_more_registers_or_are_refused() {
  const auto problem_with = [](int count) {
    // All values are needed to the end.
    Program program;
    const auto p = program.element(FASTOPT_PARAM);
    std::vector<Term> values;
    for (int i = 0; i < count; ++i) values.push_back(op(FASTOPT_MAXIMUM, p, double(i)));
    auto total = values.back();
    for (int i = count; i-- > 0;) total = total - values[i];
    for (int i = 0; i < count; ++i) total = op(FASTOPT_MAXIMUM, total, values[i]);
    program.store(FASTOPT_PARAM, total);
    std::mt19937 random(3);
    auto tensors = random_tensors<float>({3000}, 0, random), twins = tensors;
    Planned<float> planned(tensors, {FASTOPT_PROGRAM}, {program});
    if (planned.problem) return std::string(planned.problem);
    planned.step(kHypers);
    interpret(program, kHypers[1], twins[0]);
    EXPECT_FOR(std::to_string(count), are_close(tensors[0], twins[0], 1e-4));
    return std::string();
  };
  for (const int count : {1, 2, 17, 40, 60}) EXPECT(problem_with(count) == "");
  EXPECT(problem_with(70).find("64 values at once") != std::string::npos);
}

void a_step_of_programs_allocates_nothing() {
  std::mt19937 random(5);
  auto tensors = random_tensors<float>({70000, 5, 3000}, kScalars, random);
  auto* pool = fastopt_pool_create(2);
  Planned<float> planned(tensors, {FASTOPT_STEP_STAT, FASTOPT_PROGRAM, FASTOPT_PROGRAM + 1},
                         {larc_layer_lr(), lamb_step()});
  const int before = allocations;
  for (int i = 0; i < 10; ++i) planned.step(kHypers, pool);
  const int after = allocations;
  EXPECT(after == before);
  fastopt_pool_destroy(pool);
}

}  // namespace

int main() {
  follow_the_twin<float>(3e-5);
  follow_the_twin<double>(1e-11);
  many_small_tensors_have_sums_of_their_own();
  random_programs_do_as_their_twins();
  special_values_go_where_the_twin_sends_them<float>();
  special_values_go_where_the_twin_sends_them<double>();
  many_values_at_once_take_more_registers_or_are_refused();
  a_step_of_programs_allocates_nothing();
  return exit_code();
}
