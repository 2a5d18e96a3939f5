// The loop: a list of callbacks applied to each element in one pass, compiled for each instruction
// set.
#pragma once
#include "optim/fused/fused.h"
#include "optim/fused/stored.h"

#if defined(__GNUC__)
#define FASTOPT_INLINE inline __attribute__((always_inline))
#define FASTOPT_FOR(target_isa) __attribute__((target(target_isa)))
#define FASTOPT_AVX2_FEATURES "avx2,fma,f16c"
#if defined(__clang__)
#define FASTOPT_AVX512_FEATURES "avx512f,avx512vl,avx512bw,avx512dq,fma,f16c"
#else
#define FASTOPT_AVX512_FEATURES \
  "avx512f,avx512vl,avx512bw,avx512dq,fma,f16c,prefer-vector-width=512"
#endif
#else
#define FASTOPT_INLINE inline
#endif

// The arrays don't overlap; more vectors an iteration hide what the loop itself costs.
#if defined(__clang__)
#define FASTOPT_LOOP _Pragma("clang loop vectorize(assume_safety) interleave_count(2)")
#elif defined(__GNUC__)
#define FASTOPT_LOOP _Pragma("GCC ivdep") _Pragma("GCC unroll 4")
#else
#define FASTOPT_LOOP
#endif

namespace fastopt::fused {

template <class Stored, class State, class Real, class... Ops>
FASTOPT_INLINE void loop(Stored* __restrict p, Stored* __restrict g, State* __restrict grad_avg,
                         State* __restrict sqr_avg, Real* __restrict slow, int64_t begin,
                         int64_t end, const Real* c) {
  constexpr unsigned writes = (Ops::writes | ...);
  constexpr unsigned reads = (Ops::reads | ...);
  FASTOPT_LOOP
  for (int64_t i = begin; i < end; ++i) {
    Element<Real> e{};
    if constexpr (reads & kParam) e.p = p[i];
    if constexpr (reads & kGrad) e.g = g[i];
    if constexpr (reads & kGradAvg) e.grad_avg = grad_avg[i];
    if constexpr (reads & kSqrAvg) e.sqr_avg = sqr_avg[i];
    if constexpr (reads & kSlow) e.slow = slow[i];
    (Ops::template apply<Real>(e, c), ...);
    if constexpr (writes & kParam) p[i] = e.p;
    if constexpr (writes & kGrad) g[i] = e.g;
    if constexpr (writes & kGradAvg) grad_avg[i] = e.grad_avg;
    if constexpr (writes & kSqrAvg) sqr_avg[i] = e.sqr_avg;
    if constexpr (writes & kSlow) slow[i] = e.slow;
  }
}

// The hardware doesn't follow four streams far enough ahead: 256 bytes are worth 7% in memory, and
// cost nothing in cache; 1 KiB is worth half of that.
constexpr int64_t kRun = 32;
template <class T>
FASTOPT_INLINE void fetch_ahead(const T* run) {
#if defined(__GNUC__)
  constexpr int64_t ahead = 256 / sizeof(T), line = 64 / sizeof(T);
  for (int64_t i = 0; i < kRun; i += line) __builtin_prefetch(run + i + ahead, 1);
#endif
}

template <class Stored, class State, class Real, class... Ops>
FASTOPT_INLINE void sweep(Stored* p, Stored* g, State* grad_avg, State* sqr_avg, Real* slow,
                          int64_t size, const double* scalars) {
  constexpr unsigned touched = ((Ops::reads | Ops::writes) | ...);
  Real c[kScalars];
  for (int k = 0; k < kScalars; ++k) c[k] = static_cast<Real>(scalars[k]);
  int64_t i = 0;
  for (; i + kRun <= size; i += kRun) {
    if constexpr (touched & kParam) fetch_ahead(p + i);
    if constexpr (touched & kGrad) fetch_ahead(g + i);
    if constexpr (touched & kGradAvg) fetch_ahead(grad_avg + i);
    if constexpr (touched & kSqrAvg) fetch_ahead(sqr_avg + i);
    if constexpr (touched & kSlow) fetch_ahead(slow + i);
    loop<Stored, State, Real, Ops...>(p, g, grad_avg, sqr_avg, slow, i, i + kRun, c);
  }
  loop<Stored, State, Real, Ops...>(p, g, grad_avg, sqr_avg, slow, i, size, c);
}

// Steps the elements from `begin` to `end` of one tensor.
using Kernel = void (*)(const fastopt_tensor& tensor, int64_t begin, int64_t end,
                        const double* scalars);

template <class T>
FASTOPT_INLINE T* at(void* start, int64_t begin) {
  return start ? static_cast<T*>(start) + begin : nullptr;
}

template <class Stored, class State, class... Ops>
FASTOPT_INLINE void sweep_part(const fastopt_tensor& t, int64_t begin, int64_t end,
                               const double* scalars) {
  using Real = typename ComputedIn<Stored>::Real;
  sweep<Stored, State, Real, Ops...>(at<Stored>(t.param, begin), at<Stored>(t.grad, begin),
                                     at<State>(t.grad_avg, begin), at<State>(t.sqr_avg, begin),
                                     at<Real>(t.slow, begin), end - begin, scalars);
}

struct Portable {
  template <class Stored, class State, class... Ops>
  static void run(const fastopt_tensor& t, int64_t begin, int64_t end, const double* scalars) {
    sweep_part<Stored, State, Ops...>(t, begin, end, scalars);
  }
};

#if defined(__GNUC__) && defined(__x86_64__)
struct Avx2 {
  template <class Stored, class State, class... Ops>
  FASTOPT_FOR(FASTOPT_AVX2_FEATURES)
  static void run(const fastopt_tensor& t, int64_t begin, int64_t end, const double* scalars) {
    sweep_part<Stored, State, Ops...>(t, begin, end, scalars);
  }
};

struct Avx512 {
  template <class Stored, class State, class... Ops>
  FASTOPT_FOR(FASTOPT_AVX512_FEATURES)
  static void run(const fastopt_tensor& t, int64_t begin, int64_t end, const double* scalars) {
    sweep_part<Stored, State, Ops...>(t, begin, end, scalars);
  }
};
#endif

}  // namespace fastopt::fused
