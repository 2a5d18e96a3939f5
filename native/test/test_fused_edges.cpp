#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>

#include "check.h"
#include "fused_twin.h"

using namespace fused_twin;

static std::atomic<int> allocations = 0;

void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace {

const Callbacks kNadam{FASTOPT_WEIGHT_DECAY, FASTOPT_AVERAGE_GRAD_DAMPENED,
                       FASTOPT_AVERAGE_SQR_GRAD_DAMPENED, FASTOPT_STEP_STAT, FASTOPT_NADAM_STEP};
const fastopt_hypers kPlain{.lr = 1,
                            .mom = 0.9,
                            .sqr_mom = 0.99,
                            .eps = 1e-8,
                            .wd = 0,
                            .nu_1 = 1,
                            .nu_2 = 1,
                            .momentum_decay = 0,
                            .grad_scale = 1,
                            .slow_step = 0,
                            .own = {}};

Tensor<double> tensor(std::vector<double> p, std::vector<double> g) {
  const auto size = p.size();
  return {p, g, std::vector<double>(size), std::vector<double>(size), p};
}

// The values that the article prints.
void gives_the_values_of_the_article() {
  std::vector tensors{tensor({1, 2, 3}, {0.1, 0.1, 0.1})};
  Fused<double> fused(tensors, kNadam, FASTOPT_BEST);
  auto hypers = kPlain;
  hypers.wd = 0.01;
  fused.step({hypers}, nullptr);
  const std::vector first{-0.9099998100000191, 0.08000018999998093, 1.0700001899999807};
  EXPECT(close(tensors[0].p, first, 1e-14));
  fused.step({hypers}, nullptr);
  const std::vector second{-2.327215458742139, -1.347115458742139, -0.36701545874213926};
  EXPECT(close(tensors[0].p, second, 1e-14));
  EXPECT(close(tensors[0].m, {0.019, 0.019, 0.019}, 1e-15));
  EXPECT(close(tensors[0].v, {0.000199, 0.000199, 0.000199}, 1e-15));
}

// Each special value in each lane of a vector and in the rest after the last whole one.
void special_values_go_where_the_twin_sends_them() {
  using Limits = std::numeric_limits<float>;
  const float specials[] = {Limits::quiet_NaN(),
                            Limits::infinity(),
                            -Limits::infinity(),
                            -0.0f,
                            Limits::denorm_min(),
                            1e-41f,
                            1e37f,
                            1e25f};
  std::mt19937 random(2);
  for (const auto special : specials) {
    for (const auto isa : {FASTOPT_PORTABLE, FASTOPT_BEST}) {
      auto twins = std::vector{random_tensor<float>(77, 0, random)};
      for (const size_t i : {0, 9, 18, 27, 36, 45, 54, 63, 76}) twins[0].g[i] = special;
      for (const size_t i : {1, 10, 76}) twins[0].p[i] = special;
      auto tensors = twins;
      Fused<float> fused(tensors, kNadam, isa);
      for (int i = 0; i < 3; ++i) {
        naive_step(twins, kNadam, {kPlain});
        fused.step({kPlain}, nullptr);
      }
      EXPECT_FOR(std::to_string(special), close(tensors[0].p, twins[0].p, 2e-5));
      EXPECT_FOR(std::to_string(special), close(tensors[0].m, twins[0].m, 2e-5));
      EXPECT_FOR(std::to_string(special), close(tensors[0].v, twins[0].v, 2e-5));
    }
  }
}

// A denormal average stays one: flushing it to zero would show.
void denormals_are_kept() {
  Tensor<float> t{{1}, {1e-40f}, {0}, {0}, {1}};
  std::vector tensors{t};
  Fused<float> fused(tensors, {FASTOPT_AVERAGE_GRAD}, FASTOPT_BEST);
  fused.step({kPlain}, nullptr);
  EXPECT(tensors[0].m[0] == 1e-40f);
}

// Tensors that begin at any element of their storage, and what lies around them.
void any_alignment_will_do_and_neighbours_are_left_alone() {
  std::mt19937 random(3);
  for (int64_t offset = 0; offset < 17; ++offset) {
    const int64_t size = 1000 + offset, whole = size + 64;
    auto twin = random_tensor<float>(whole, 0, random), t = twin;
    fastopt_tensor part{t.p.data() + offset,
                        t.g.data() + offset,
                        t.m.data() + offset,
                        t.v.data() + offset,
                        nullptr,
                        size,
                        0,
                        {}};
    fastopt_plan* plan = nullptr;
    EXPECT(!make_plan(FASTOPT_FLOAT32, FASTOPT_BEST, kNadam, {&part, 1}, &plan));
    fastopt_plan_step(plan, &kPlain, &t.n, nullptr, nullptr);
    fastopt_plan_destroy(plan);
    std::vector stepped{twin};
    naive_step(stepped, kNadam, {kPlain});
    for (int64_t i = 0; i < whole; ++i) {
      const bool inside = i >= offset && i < offset + size;
      EXPECT(std::abs(t.p[i] - (inside ? stepped[0] : twin).p[i]) < 1e-5);
      if (!inside) EXPECT(t.m[i] == 0 && t.v[i] == 0);
    }
  }
}

void many_small_tensors_are_each_stepped_once() {
  std::mt19937 random(4);
  std::vector<Tensor<float>> twins;
  for (int i = 0; i < 5000; ++i) twins.push_back(random_tensor<float>(i % 97, i % 2, random));
  auto tensors = twins;
  auto* pool = fastopt_pool_create(4);
  Fused<float> fused(tensors, kNadam, FASTOPT_BEST);
  fused.step({kPlain, kPlain}, pool);
  naive_step(twins, kNadam, {kPlain, kPlain});
  for (size_t i = 0; i < tensors.size(); ++i) EXPECT(close(tensors[i].p, twins[i].p, 1e-5));
  fastopt_pool_destroy(pool);
}

void a_step_allocates_nothing() {
  std::mt19937 random(5);
  std::vector<Tensor<float>> tensors;
  for (int i = 0; i < 50; ++i) tensors.push_back(random_tensor<float>(5000, 0, random));
  auto* pool = fastopt_pool_create(2);
  Fused<float> fused(tensors, kNadam, FASTOPT_BEST);
  const std::vector hypers{kPlain};
  const int before = allocations;
  for (int i = 0; i < 10; ++i) fused.step(hypers, pool);
  const int after = allocations;
  EXPECT(after == before);
  fastopt_pool_destroy(pool);
}

void addresses_may_change_between_steps() {
  float p = 1, g = 1, other = 3;
  fastopt_tensor t{&p, &g, nullptr, nullptr, nullptr, 1, 0, {}};
  fastopt_counters n{0, 1, 1};
  fastopt_plan* plan = nullptr;
  const int32_t sgd[] = {FASTOPT_SGD_STEP};
  EXPECT(!make_plan(FASTOPT_FLOAT32, FASTOPT_BEST, sgd, {&t, 1}, &plan));
  fastopt_plan_step(plan, &kPlain, &n, nullptr, nullptr);
  EXPECT(p == 0);
  fastopt_plan_tensors(plan)[0].grad = &other;
  fastopt_plan_step(plan, &kPlain, &n, nullptr, nullptr);
  EXPECT(p == -3);
  fastopt_plan_tensors(plan)[0].grad = nullptr;
  fastopt_plan_step(plan, &kPlain, &n, nullptr, nullptr);
  EXPECT(p == -3);
  fastopt_plan_destroy(plan);
}

void what_it_does_not_know_it_refuses() {
  std::vector tensors{tensor({1}, {1})};
  const auto refused = [&](const Callbacks& callbacks, fastopt_isa isa) {
    return Fused<double>(tensors, callbacks, isa).problem != nullptr;
  };
  EXPECT(refused({FASTOPT_CALLBACKS}, FASTOPT_BEST));
  EXPECT(refused({-1}, FASTOPT_BEST));
  EXPECT(!refused({FASTOPT_SGD_STEP}, FASTOPT_PORTABLE));
  fastopt_plan* plan = nullptr;
  const int32_t sgd[] = {FASTOPT_SGD_STEP};
  EXPECT(make_plan(static_cast<fastopt_dtype>(9), FASTOPT_BEST, sgd, {}, &plan) != nullptr);
}

}  // namespace

int main() {
  gives_the_values_of_the_article();
  special_values_go_where_the_twin_sends_them();
  denormals_are_kept();
  any_alignment_will_do_and_neighbours_are_left_alone();
  many_small_tensors_are_each_stepped_once();
  a_step_allocates_nothing();
  addresses_may_change_between_steps();
  what_it_does_not_know_it_refuses();
  return exit_code();
}
