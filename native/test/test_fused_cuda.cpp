#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <limits>

#include "check.h"
#include "cuda/cases.h"
#include "cuda/on_host.h"
#include "fused_twin.h"
#include "optim/fused/cuda/library.h"
#include "optim/fused/cuda/plan.h"
#include "optim/fused/stored.h"

using namespace fastopt::fused;
using fused_cases::kHypers;
using fused_twin::Callbacks;
using fused_twin::Tensor;
using kernel_cases::KernelCase;

// The plans and the kernels of the CUDA driver, compiled for the host: all but the driver's calls.
namespace {

// A device whose memory is the host's. It captures and replays what it is told to do.
class HostGpu : public Gpu {
 public:
  HostGpu(const on_host::Kernels& kernels, int& uploads) : kernels_(kernels), uploads_(uploads) {}

  void* allocate(size_t bytes) override { return std::memset(std::malloc(bytes + 1), 0xff, bytes); }
  void free(void* memory) override { std::free(memory); }
  void upload(void* to, const void* from, size_t bytes, void*) override {
    ++uploads_;
    const auto begin = static_cast<const char*>(from);
    run([to, copy = std::vector<char>(begin, begin + bytes)] {
      std::memcpy(to, copy.data(), copy.size());
    });
  }
  void download(void* to, const void* from, size_t bytes, void*) override {
    std::memcpy(to, from, bytes);
  }
  void launch(const std::string& name, int64_t blocks, int32_t, const Args& args, void*) override {
    run([kernel = kernels_.at(name), blocks, args] { on_host::run(kernel, blocks, args); });
  }
  bool captures(void*) override { return capturing; }

  void replay() const {
    for (const auto& call : graph_) call();
  }

  bool capturing = false;

 private:
  void run(std::function<void()> call) {
    if (capturing)
      graph_.push_back(std::move(call));
    else
      call();
  }

  const on_host::Kernels& kernels_;
  int& uploads_;
  std::vector<std::function<void()>> graph_;
};

// Arrays as they are stored, some of which begin where no vector can be loaded.
template <class Stored, class State>
struct Arrays {
  using Real = typename ComputedIn<Stored>::Real;
  int64_t offset;
  std::vector<Stored> p, g;
  std::vector<State> m, v;
  std::vector<Real> slow, scalar = std::vector<Real>(1, 3);
  std::array<std::vector<State>, FASTOPT_OWN_STATES> own;

  Arrays(const Tensor<double>& from, int64_t begin) : offset(begin) {
    const auto fill = [&](auto& to, const std::vector<double>& values) {
      to.reserve(offset + values.size() + 1);  // so that an empty tensor has an address
      to.resize(offset);
      for (const auto value : values) to.push_back(static_cast<float>(value));
    };
    fill(p, from.p);
    fill(g, from.g);
    fill(m, from.m);
    fill(v, from.v);
    fill(slow, from.slow);
    for (auto& state : own) fill(state, from.m);
  }

  fastopt_tensor view(const Tensor<double>& twin) {
    fastopt_tensor t{p.data() + offset,    twin.has_grad ? g.data() + offset : nullptr,
                     m.data() + offset,    v.data() + offset,
                     slow.data() + offset, static_cast<int64_t>(twin.p.size()),
                     twin.group,           {scalar.data()}};
    for (int i = 1; i < FASTOPT_OWN_STATES; ++i) t.own[i] = own[i].data() + offset;
    return t;
  }
};

template <class Stored>
bool close(const std::vector<Stored>& stored, int64_t offset, const std::vector<double>& twin,
           double tolerance) {
  std::vector<double> values;
  for (auto i = static_cast<size_t>(offset); i < stored.size(); ++i)
    values.push_back(static_cast<typename ComputedIn<Stored>::Real>(stored[i]));
  return values.size() == twin.size() && fused_twin::close(values, twin, tolerance);
}

// Tensors of many sizes on a "device", and their twins.
template <class Stored, class State>
class Fixture {
 public:
  explicit Fixture(size_t number) : list_(kernel_cases::kernel_cases()[number]) {
    std::mt19937 random(1);
    const int64_t block = kBlockElements;
    for (const int64_t size : {int64_t{0}, int64_t{1}, int64_t{7}, int64_t{64}, int64_t{1023},
                               block, block + 1, 3 * block - 1, int64_t{5}}) {
      auto twin = fused_twin::random_tensor<double>(size, std::ssize(twins) % 2, random);
      for (auto* values : {&twin.p, &twin.g})
        for (auto& value : *values) value = static_cast<float>(Stored(static_cast<float>(value)));
      twin.slow = twin.p;
      twin.n.do_wd = std::ssize(twins) % 3 != 0;
      twins.push_back(twin);
    }
    twins[4].has_grad = false;
    twins[5].n.step = 7;
    for (const auto& twin : twins) {
      arrays.emplace_back(twin, arrays.size() % 3 == 2 ? 1 : 0);
      counters.push_back(twin.n);
    }
    std::vector<fastopt_tensor> tensors;
    for (size_t i = 0; i < twins.size(); ++i) tensors.push_back(arrays[i].view(twins[i]));
    ListOfCallbacks list;
    const char* problem = kernel_cases::with_options(
        list_, [&](const auto& options) { return list_callbacks(options, list); });
    EXPECT_FOR(list_.name, problem == nullptr);
    auto made = std::make_unique<HostGpu>(on_host::kernels[number], uploads);
    gpu = made.get();
    plan = std::make_unique<CudaPlan>(std::move(list), tensors, std::move(made));
  }

  void step(const float* found_inf = nullptr) {
    plan->step(kHypers.data(), counters.data(), found_inf, nullptr);
  }

  void expect_like_twins(double tolerance) {
    const auto& name = list_.name;
    for (size_t i = 0; i < twins.size(); ++i) {
      const auto& twin = twins[i];
      const auto& [offset, p, g, m, v, slow, scalar, own] = arrays[i];
      EXPECT_FOR(name, close(p, offset, twin.p, tolerance));
      EXPECT_FOR(name, close(g, offset, twin.g, tolerance));
      EXPECT_FOR(name, close(m, offset, twin.m, tolerance));
      EXPECT_FOR(name, close(v, offset, twin.v, tolerance));
      EXPECT_FOR(name, close(slow, offset, twin.slow, tolerance));
    }
  }

  void expect_counted() {
    for (size_t i = 0; i < twins.size(); ++i) {
      EXPECT_FOR(list_.name, counters[i].step == twins[i].n.step);
      EXPECT_FOR(list_.name, std::abs(counters[i].mu_product - twins[i].n.mu_product) < 1e-14);
    }
  }

  std::vector<Tensor<double>> twins;
  std::vector<Arrays<Stored, State>> arrays;
  std::vector<fastopt_counters> counters;
  HostGpu* gpu = nullptr;
  std::unique_ptr<CudaPlan> plan;
  int uploads = 0;

 private:
  KernelCase list_;
};

size_t case_number(const std::string& name, fastopt_dtype dtype) {
  const auto all = kernel_cases::kernel_cases();
  const auto is_it = [&](const KernelCase& one) { return one.name == name && one.dtype == dtype; };
  return std::find_if(all.begin(), all.end(), is_it) - all.begin();
}

// Every built-in list.
template <class Stored, class State>
void follows_the_twin(size_t number, const KernelCase& list, int steps, double tolerance) {
  Fixture<Stored, State> f(number);
  for (int i = 0; i < steps; ++i) {
    f.step();
    fused_twin::naive_step(f.twins, list.callbacks, kHypers);
    f.expect_counted();
  }
  f.expect_like_twins(tolerance);
}

void built_in_lists_follow_the_twin() {
  const auto cases = kernel_cases::kernel_cases();
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto& list = cases[i];
    if (!list.programs.empty()) continue;
    const bool half_state = list.state_dtype == FASTOPT_BFLOAT16;
    if (list.dtype == FASTOPT_FLOAT64) {
      follows_the_twin<double, double>(i, list, 10, 1e-12);
    } else if (list.dtype == FASTOPT_FLOAT32) {
      half_state ? follows_the_twin<float, BFloat16>(i, list, 2, 1e-2)
                 : follows_the_twin<float, float>(i, list, 10, 2e-5);
    } else if (list.dtype == FASTOPT_BFLOAT16) {
      half_state ? follows_the_twin<BFloat16, BFloat16>(i, list, 2, 1e-2)
                 : follows_the_twin<BFloat16, float>(i, list, 2, 1e-2);
    } else {
#if defined(__FLT16_MAX__)
      half_state ? follows_the_twin<Float16, BFloat16>(i, list, 2, 1e-2)
                 : follows_the_twin<Float16, float>(i, list, 2, 2e-3);
#endif
    }
  }
}

// What is no number has scalars of its own, and spoils those of no other tensor.
void counts_that_are_no_numbers_stay_apart() {
  const auto number = case_number("NAdam", FASTOPT_FLOAT64);
  Fixture<double, double> f(number);
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  f.twins[2].n.step = f.counters[2].step = nan;
  f.twins[6].n.step = f.counters[6].step = nan;
  f.step();
  fused_twin::naive_step(f.twins, kernel_cases::kernel_cases()[number].callbacks, kHypers);
  f.expect_like_twins(1e-12);
  EXPECT(std::isnan(f.arrays[2].p.back()) && !std::isnan(f.arrays[8].p.back()));
}

// ---- Programs ----

template <class Program, class Twin>
void program_follows(const char* name, Twin twin, Program compare) {
  Fixture<double, double> f(case_number(name, FASTOPT_FLOAT64));
  for (int step = 1; step <= 3; ++step) {
    f.step();
    for (size_t i = 0; i < f.twins.size(); ++i) {
      if (f.twins[i].has_grad) twin(f.twins[i], kHypers[f.twins[i].group], i);
    }
  }
  f.expect_like_twins(1e-12);
  for (size_t i = 0; i < f.twins.size(); ++i) compare(f, i);
}

void programs_follow_their_formulas() {
  std::array<std::vector<double>, 16> averages;
  program_follows(
      "own momentum",
      [&](Tensor<double>& t, const fastopt_hypers& h, size_t number) {
        t.n.step += 1;
        averages[number].resize(t.p.size());
        for (size_t i = 0; i < t.p.size(); ++i) {
          auto& average = averages[number][i];
          if (t.n.do_wd) t.p[i] *= 1 - h.lr * h.wd;
          average = h.own[2] * average + (1 - h.own[2]) * t.g[i];
          t.p[i] -= h.lr * average / (1 - std::pow(h.own[2], t.n.step));
        }
      },
      [&](auto& f, size_t i) {
        if (f.twins[i].has_grad)
          EXPECT(close(f.arrays[i].own[1], f.arrays[i].offset, averages[i], 1e-12));
      });

  std::array<double, 16> scalars;
  scalars.fill(3);
  const auto norm = [](const std::vector<double>& values) {
    double sum = 0;
    for (const auto value : values) sum += value * value;
    return std::sqrt(sum);
  };
  program_follows(
      "normed step",
      [&](Tensor<double>& t, const fastopt_hypers& h, size_t number) {
        for (size_t i = 0; i < t.p.size(); ++i) t.m[i] = h.mom * t.m[i] + t.g[i];
        scalars[number] = scalars[number] * 0.5 + norm(t.p);
        const double ratio = norm(t.p) / (norm(t.m) + 1e-6);
        for (size_t i = 0; i < t.p.size(); ++i) t.p[i] -= h.own[0] * ratio * t.m[i];
        t.g.assign(t.g.size(), 0);
      },
      [&](auto& f, size_t i) {
        EXPECT(std::abs(f.arrays[i].scalar[0] - scalars[i]) < 1e-12 * (1 + scalars[i]));
      });

  program_follows(
      "sum of sums",
      [&](Tensor<double>& t, const fastopt_hypers& h, size_t) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < t.p.size(); ++i) {
          if (t.n.do_wd) t.g[i] += h.wd * t.p[i];
          sum += std::abs(t.g[i]);
        }
        for (const auto g : t.g) squares += (g / (sum + 1)) * (g / (sum + 1));
        for (size_t i = 0; i < t.p.size(); ++i)
          t.p[i] -= std::sqrt(squares) * std::abs(t.g[i]) / (sum + 1);
      },
      [](auto&, size_t) {});
}

// Whatever is stored where, summed and read later.
void random_programs_follow_their_twins() {
  for (int number = 0; number < kernel_cases::kRandomPairs; ++number) {
    const auto name = "random " + std::to_string(number);
    Fixture<double, double> f(case_number(name, FASTOPT_FLOAT64));
    f.step();
    const auto programs = kernel_cases::random_pair(number);
    for (size_t i = 0; i < f.twins.size(); ++i) {
      const auto& twin = f.twins[i];
      if (!twin.has_grad) continue;
      const auto& h = kHypers[twin.group];
      fused_program::Tensor<double> t;
      t.size = std::ssize(twin.p);
      t.n = twin.n;
      for (auto& state : t.arrays) state = twin.m;
      t.arrays[FASTOPT_PARAM] = twin.p;
      t.arrays[FASTOPT_GRAD] = twin.g;
      t.arrays[FASTOPT_OWN] = {3};
      interpret(programs[0], h, t);
      for (auto& p : t.arrays[FASTOPT_PARAM]) p *= twin.n.do_wd ? 1 - h.lr * h.wd : 1;
      interpret(programs[1], h, t);
      const auto& [offset, p, g, m, v, slow, scalar, own] = f.arrays[i];
      EXPECT_FOR(name, close(p, offset, t.arrays[FASTOPT_PARAM], 1e-6));
      EXPECT_FOR(name, close(g, offset, t.arrays[FASTOPT_GRAD], 1e-6));
      EXPECT_FOR(name, close(m, offset, t.arrays[FASTOPT_GRAD_AVG], 1e-6));
      EXPECT_FOR(name, close(v, offset, t.arrays[FASTOPT_SQR_AVG], 1e-6));
      for (const int state : {1, 2})
        EXPECT_FOR(name, close(own[state], offset, t.arrays[FASTOPT_OWN + state], 1e-6));
    }
  }
}

double every_operation(double x, double y) {
  const double positive = std::abs(x) + 0.5;
  const double unary = -x + fused_twin::sign(x) + std::expm1(x) + std::tanh(x) + (x == 0) +
                       std::sqrt(positive) + 1 / positive + std::log(positive) +
                       std::log1p(positive) + std::exp(-positive) + std::pow(positive, y);
  const double total = unary + std::fmax(x, y) + std::fmin(x, y) + (x == y) + (x != y) + (x < y) +
                       (x <= y) + (x != 0 && y != 0) + (x != 0 || y != 0);
  return x < y ? total : total * 0.5;
}

template <class T>
void every_operation_is_generated(fastopt_dtype dtype, double tolerance) {
  Fixture<T, T> f(case_number("every operation", dtype));
  f.step();
  for (size_t i = 0; i < f.twins.size(); ++i) {
    const auto& [p, g, m, v, slow, group, has_grad, n] = f.twins[i];
    if (!has_grad) continue;
    const auto& h = kHypers[group];
    std::array<std::vector<double>, FASTOPT_OWN_STATES> own;
    for (size_t k = 0; k < p.size(); ++k) {
      for (int state = 1; state <= 3; ++state)
        own[state].push_back(every_operation(p[k], g[k]) + state);
      own[4].push_back(every_operation(g[k], h.mom));
      own[5].push_back(every_operation(h.mom, h.own[15]));
      own[6].push_back(static_cast<double>(p.size()) + 0.1);
      own[7].push_back(7);
    }
    for (int state = 1; state < FASTOPT_OWN_STATES; ++state)
      EXPECT_FOR(std::to_string(state),
                 close(f.arrays[i].own[state], f.arrays[i].offset, own[state], tolerance));
  }
}

void what_is_not_a_number_is_greater_and_smaller() {
  Fixture<double, double> f(case_number("every operation", FASTOPT_FLOAT64));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  f.arrays[3].p[0] = f.arrays[3].g[1] = nan;
  f.step();
  EXPECT(std::isnan(f.arrays[3].own[1][0]) && std::isnan(f.arrays[3].own[1][1]));
  EXPECT(!std::isnan(f.arrays[3].own[1][2]));
}

// ---- What is uploaded, and when ----

const Callbacks& nadam() {
  static const auto all = fused_cases::kCases;
  return std::find_if(all.begin(), all.end(),
                      [](const auto& one) { return std::string("NAdam") == one.name; })
      ->callbacks;
}

struct Nadam : Fixture<double, double> {
  Nadam() : Fixture(case_number("NAdam", FASTOPT_FLOAT64)) {}
  void twin_step() { fused_twin::naive_step(twins, nadam(), kHypers); }
  int uploads_of_a_step() {
    const int before = uploads;
    step();
    twin_step();
    return uploads - before;
  }
};

void the_table_is_uploaded_when_an_address_or_a_gradient_changed() {
  Nadam f;
  EXPECT(f.uploads_of_a_step() == 3);  // blocks, scalars, the table
  EXPECT(f.uploads_of_a_step() == 1);
  f.arrays[7].g.reserve(2 * f.arrays[7].g.capacity());
  f.plan->tensors()[7] = f.arrays[7].view(f.twins[7]);
  EXPECT(f.uploads_of_a_step() == 2);
  EXPECT(f.uploads_of_a_step() == 1);
  f.twins[7].has_grad = false;
  f.plan->tensors()[7].grad = nullptr;
  EXPECT(f.uploads_of_a_step() == 2);
  for (size_t i = 0; i < f.twins.size(); ++i) {
    f.twins[i].has_grad = false;
    f.plan->tensors()[i].grad = nullptr;
  }
  EXPECT(f.uploads_of_a_step() == 0);
  f.expect_like_twins(1e-12);
  f.expect_counted();
}

// ---- Counters on the device ----

void the_device_counts_as_the_host_does() {
  for (const auto* name : {"NAdam", "torch's NAdam", "RAdam", "counting alone", "own momentum"}) {
    const auto number = case_number(name, FASTOPT_FLOAT64);
    Fixture<double, double> host(number), device(number);
    device.plan->hold_counters(device.counters.data(), nullptr);
    for (int i = 0; i < 5; ++i) {
      host.step();
      device.step();
    }
    EXPECT_FOR(name, device.counters[5].step == 7);  // those of the host are left alone
    device.plan->read_counters(device.counters.data(), nullptr);
    device.plan->release_counters();
    host.step();
    device.step();
    for (size_t i = 0; i < host.twins.size(); ++i) {
      EXPECT_FOR(name, host.counters[i].step == device.counters[i].step);
      EXPECT_FOR(name,
                 std::abs(host.counters[i].mu_product - device.counters[i].mu_product) < 1e-14);
      const std::vector<double> expected(host.arrays[i].p.begin() + host.arrays[i].offset,
                                         host.arrays[i].p.end());
      EXPECT_FOR(name, close(device.arrays[i].p, device.arrays[i].offset, expected, 1e-12));
    }
  }
}

void a_step_is_skipped_and_not_counted_where_a_gradient_is_infinite() {
  Nadam f;
  const float finite = 0, infinite = 1;
  EXPECT(refuses<Refused>("hold the counters there first", [&] { f.step(&finite); }));
  f.plan->hold_counters(f.counters.data(), nullptr);
  for (const auto* found_inf : {&finite, &infinite, &finite}) {
    f.step(found_inf);
    if (found_inf == &finite) f.twin_step();
  }
  f.plan->read_counters(f.counters.data(), nullptr);
  f.expect_counted();
  f.expect_like_twins(1e-12);
}

// Replays see new hyper-parameters, and their own addresses whatever the plan did since.
void a_captured_step_is_replayed() {
  Nadam f;
  f.plan->hold_counters(f.counters.data(), nullptr);
  f.step();
  f.twin_step();
  f.gpu->capturing = true;
  f.step();
  f.gpu->capturing = false;
  auto hypers = kHypers;
  for (int i = 0; i < 6; ++i) {
    hypers[0].lr *= 0.5;
    if (i % 3 == 2) {  // a step of the plan's own, of other gradients
      auto others = f.arrays[7].g;
      for (auto& g : others) g += 1;
      f.plan->tensors()[7].grad = others.data() + f.arrays[7].offset;
      f.plan->step(hypers.data(), f.counters.data(), nullptr, nullptr);
      for (auto& g : f.twins[7].g) g += 1;
      fused_twin::naive_step(f.twins, nadam(), hypers);
      for (auto& g : f.twins[7].g) g -= 1;
    } else {
      f.plan->set_hypers(hypers.data(), nullptr);
      f.gpu->replay();
      fused_twin::naive_step(f.twins, nadam(), hypers);
    }
  }
  f.plan->read_counters(f.counters.data(), nullptr);
  f.expect_counted();
  f.expect_like_twins(1e-12);
}

void what_a_graph_could_not_replay_is_refused() {
  Nadam f;
  f.gpu->capturing = true;
  EXPECT(refuses<Refused>("hold them on the device first", [&] { f.step(); }));
  EXPECT(
      refuses<Refused>("is being captured", [&] { f.plan->set_hypers(kHypers.data(), nullptr); }));
  EXPECT(refuses<Refused>("is being captured",
                          [&] { f.plan->hold_counters(f.counters.data(), nullptr); }));
  f.gpu->capturing = false;
  EXPECT(refuses<Refused>("hold them on the device first",
                          [&] { f.plan->read_counters(f.counters.data(), nullptr); }));
  EXPECT(f.counters[0].step == 0);
}

// ---- The C interface ----

std::string source_of(const std::vector<int32_t>& callbacks, fastopt_dtype dtype) {
  return kernel_cases::with_options(
      {"", dtype, dtype, callbacks, {}}, [](const fastopt_plan_options& options) {
        int64_t size = 0;
        if (const char* problem = fastopt_cuda_source(&options, nullptr, &size))
          return std::string(problem);
        std::string text(static_cast<size_t>(size), 'x');
        EXPECT(fastopt_cuda_source(&options, text.data(), &size) == nullptr);
        EXPECT(text.back() == 0);
        return text;
      });
}

void the_text_of_kernels_is_whole_or_there_is_a_reason() {
  const auto text = source_of(nadam(), FASTOPT_FLOAT32);
  for (const auto* part : {"struct Element {", "NadamStep::Op::apply(e, c);", "fastopt_step_0"})
    EXPECT_FOR(part, text.find(part) != text.npos);
  EXPECT(text.find("#include \"") == text.npos);
  EXPECT(source_of({-1}, FASTOPT_FLOAT32) == "a callback is unknown to this build");
  EXPECT(source_of({}, static_cast<fastopt_dtype>(9)) == "there are no kernels for the dtype");
}

void a_machine_without_a_driver_says_so() {
  if (open_library({"libcuda.so.1"})) return;
  fastopt_cuda_plan* plan = nullptr;
  const fastopt_cuda_options where{};
  const auto* problem = kernel_cases::with_options(
      {"", FASTOPT_FLOAT32, FASTOPT_FLOAT32, nadam(), {}},
      [&](const auto& options) { return fastopt_cuda_plan_create(&options, &where, &plan); });
  EXPECT(problem && std::string(problem).starts_with("no CUDA driver was found") && !plan);
}

}  // namespace

int main() {
  built_in_lists_follow_the_twin();
  counts_that_are_no_numbers_stay_apart();
  programs_follow_their_formulas();
  random_programs_follow_their_twins();
  every_operation_is_generated<double>(FASTOPT_FLOAT64, 1e-12);
  every_operation_is_generated<float>(FASTOPT_FLOAT32, 1e-5);
  what_is_not_a_number_is_greater_and_smaller();
  the_table_is_uploaded_when_an_address_or_a_gradient_changed();
  the_device_counts_as_the_host_does();
  a_step_is_skipped_and_not_counted_where_a_gradient_is_infinite();
  a_captured_step_is_replayed();
  what_a_graph_could_not_replay_is_refused();
  the_text_of_kernels_is_whole_or_there_is_a_reason();
  a_machine_without_a_driver_says_so();
  return exit_code();
}
