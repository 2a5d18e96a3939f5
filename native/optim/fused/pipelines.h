// The composed loops, for each way in which parameters and state are stored. A file for each way of
// storing parameters makes them, as they take long to compile.
#pragma once
#include <array>
#include <span>
#include <type_traits>

#include "optim/fused/kernels.h"

namespace fastopt::fused {

template <class Op>
inline constexpr char op_name = 0;

template <class Op>
constexpr OpId id_of() {
  if constexpr (std::is_void_v<Op>)
    return nullptr;
  else
    return &op_name<Op>;
}

struct Pipeline {
  std::array<OpId, 4> ops;        // as many as there are, then null
  std::array<Kernel, 3> kernels;  // portable, AVX2, AVX-512
};

template <class Stored, class State, class... Ops>
constexpr Pipeline pipeline() {
#if defined(__GNUC__) && defined(__x86_64__)
  return {{id_of<Ops>()...},
          {Portable::run<Stored, State, Ops...>, Avx2::run<Stored, State, Ops...>,
           Avx512::run<Stored, State, Ops...>}};
#else
  return {{id_of<Ops>()...}, {Portable::run<Stored, State, Ops...>}};
#endif
}

// Each operation by itself, and the lists that users run composed into one loop, with decoupled
// decay and without.
template <class T, class State>
constexpr Pipeline pipelines[] = {
    pipeline<T, State, ScaleGrad>(),
    pipeline<T, State, Decay>(),
    pipeline<T, State, L2>(),
    pipeline<T, State, Average>(),
    pipeline<T, State, AverageSqr>(),
    pipeline<T, State, GradStep>(),
    pipeline<T, State, AvgStep>(),
    pipeline<T, State, RmsStep>(),
    pipeline<T, State, AdaptiveStep>(),
    pipeline<T, State, QuasiHyperbolicStep>(),
    pipeline<T, State, SignStep>(),
    pipeline<T, State, AverageForLater>(),
    pipeline<T, State, AverageWeights>(),
    pipeline<T, State, RestoreSlow>(),
    pipeline<T, State, ZeroGrad>(),
    pipeline<T, State, Traffic>(),
    pipeline<T, State, Decay, GradStep>(),
    pipeline<T, State, Average, AvgStep>(),
    pipeline<T, State, Decay, Average, AvgStep>(),
    pipeline<T, State, AverageSqr, RmsStep>(),
    pipeline<T, State, Decay, AverageSqr, RmsStep>(),
    pipeline<T, State, Average, AverageSqr, AdaptiveStep>(),
    pipeline<T, State, Decay, Average, AverageSqr, AdaptiveStep>(),
    pipeline<T, State, Average, AverageSqr, QuasiHyperbolicStep>(),
    pipeline<T, State, Decay, Average, AverageSqr, QuasiHyperbolicStep>(),
    pipeline<T, State, SignStep, AverageForLater>(),
    pipeline<T, State, Decay, SignStep, AverageForLater>(),
    pipeline<T, State, AverageWeights, RestoreSlow>(),
};

using Pipelines = std::span<const Pipeline>;
Pipelines float32_pipelines(bool half_state);
Pipelines float64_pipelines();
Pipelines bfloat16_pipelines(bool half_state);
Pipelines float16_pipelines(bool half_state);  // empty where the compiler has no float16

}  // namespace fastopt::fused
