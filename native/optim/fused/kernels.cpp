#include "optim/fused/kernels.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <type_traits>

namespace fastopt::fused {
namespace {

template <class Op>
constexpr char op_name = 0;

template <class Op>
constexpr OpId id_of() {
  if constexpr (std::is_void_v<Op>)
    return nullptr;
  else
    return &op_name<Op>;
}

template <class Op>
constexpr unsigned touched_by() {
  if constexpr (std::is_void_v<Op>)
    return 0;
  else
    return Op::reads | Op::writes;
}

template <class C>
constexpr CallbackEntry entry{id_of<typename C::Op>(), touched_by<typename C::Op>(), C::count,
                              C::scalars};

template <class... Cs>
constexpr std::array callbacks_of{entry<Cs>...};
constexpr auto callbacks = callbacks_of<FASTOPT_CALLBACK_TYPES>;
static_assert(std::size(callbacks) == FASTOPT_CALLBACKS);

struct Pipeline {
  std::array<OpId, 4> ops;        // as many as there are, then null
  std::array<Kernel, 3> kernels;  // portable, AVX2, AVX-512
};

template <class Stored, class... Ops>
constexpr Pipeline pipeline() {
#if defined(__GNUC__) && defined(__x86_64__)
  return {{id_of<Ops>()...},
          {Portable::run<Stored, Ops...>, Avx2::run<Stored, Ops...>, Avx512::run<Stored, Ops...>}};
#else
  return {{id_of<Ops>()...}, {Portable::run<Stored, Ops...>}};
#endif
}

// Each operation by itself, and the lists that users run composed into one loop, with decoupled
// decay and without.
template <class T>
constexpr Pipeline pipelines[] = {
    pipeline<T, ScaleGrad>(),
    pipeline<T, Decay>(),
    pipeline<T, L2>(),
    pipeline<T, Average>(),
    pipeline<T, AverageSqr>(),
    pipeline<T, GradStep>(),
    pipeline<T, AvgStep>(),
    pipeline<T, RmsStep>(),
    pipeline<T, AdaptiveStep>(),
    pipeline<T, QuasiHyperbolicStep>(),
    pipeline<T, SignStep>(),
    pipeline<T, AverageForLater>(),
    pipeline<T, AverageWeights>(),
    pipeline<T, RestoreSlow>(),
    pipeline<T, ZeroGrad>(),
    pipeline<T, Traffic>(),
    pipeline<T, Decay, GradStep>(),
    pipeline<T, Average, AvgStep>(),
    pipeline<T, Decay, Average, AvgStep>(),
    pipeline<T, AverageSqr, RmsStep>(),
    pipeline<T, Decay, AverageSqr, RmsStep>(),
    pipeline<T, Average, AverageSqr, AdaptiveStep>(),
    pipeline<T, Decay, Average, AverageSqr, AdaptiveStep>(),
    pipeline<T, Average, AverageSqr, QuasiHyperbolicStep>(),
    pipeline<T, Decay, Average, AverageSqr, QuasiHyperbolicStep>(),
    pipeline<T, SignStep, AverageForLater>(),
    pipeline<T, Decay, SignStep, AverageForLater>(),
    pipeline<T, AverageWeights, RestoreSlow>(),
};

std::span<const Pipeline> pipelines_of(fastopt_dtype dtype) {
  switch (dtype) {
    case FASTOPT_FLOAT32:
      return pipelines<float>;
    case FASTOPT_FLOAT64:
      return pipelines<double>;
    case FASTOPT_BFLOAT16:
      return pipelines<BFloat16>;
    case FASTOPT_FLOAT16:
#if defined(__FLT16_MAX__)
      return pipelines<_Float16>;
#else
      return {};
#endif
  }
  return {};
}

size_t length(const Pipeline& pipeline) {
  return std::find(pipeline.ops.begin(), pipeline.ops.end(), nullptr) - pipeline.ops.begin();
}

bool begins_with(std::span<const OpId> ops, const Pipeline& pipeline) {
  const auto count = length(pipeline);
  return count <= ops.size() && std::equal(ops.begin(), ops.begin() + count, pipeline.ops.begin());
}

}  // namespace

const CallbackEntry* find_callback(int32_t callback) {
  return callback >= 0 && callback < FASTOPT_CALLBACKS ? &callbacks[callback] : nullptr;
}

fastopt_isa best_isa() {
#if defined(__GNUC__) && defined(__x86_64__)
  const auto has = [](auto... features) { return (features && ...); };
  if (has(__builtin_cpu_supports("avx512f"), __builtin_cpu_supports("avx512vl"),
          __builtin_cpu_supports("avx512bw"), __builtin_cpu_supports("avx512dq")))
    return FASTOPT_AVX512;
  if (has(__builtin_cpu_supports("avx2"), __builtin_cpu_supports("fma"))) return FASTOPT_AVX2;
#endif
  return FASTOPT_PORTABLE;
}

std::vector<Kernel> find_kernels(fastopt_dtype dtype, fastopt_isa isa, std::span<const OpId> ops) {
  const auto best = best_isa();
  const auto wanted = isa == FASTOPT_BEST ? best : isa;
  if (wanted > best) return {};
  std::vector<Kernel> found;
  while (!ops.empty()) {
    const Pipeline* longest = nullptr;
    for (const auto& pipeline : pipelines_of(dtype)) {
      if (begins_with(ops, pipeline) && (!longest || length(pipeline) > length(*longest)))
        longest = &pipeline;
    }
    if (!longest) return {};
    found.push_back(longest->kernels[wanted - FASTOPT_PORTABLE]);
    ops = ops.subspan(length(*longest));
  }
  return found;
}

}  // namespace fastopt::fused
