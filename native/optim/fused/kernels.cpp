#include "optim/fused/kernels.h"

#include <algorithm>
#include <iterator>

#include "optim/fused/pipelines.h"

namespace fastopt::fused {
namespace {

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

// Of these types; empty: there are none. State is as wide as what is computed with, or bfloat16.
Pipelines pipelines_of(fastopt_dtype dtype, fastopt_dtype state_dtype) {
  const bool half_state = state_dtype == FASTOPT_BFLOAT16;
  if (dtype == FASTOPT_FLOAT64)
    return state_dtype == FASTOPT_FLOAT64 ? float64_pipelines() : Pipelines();
  if (state_dtype != FASTOPT_FLOAT32 && !half_state) return {};
  switch (dtype) {
    case FASTOPT_FLOAT32:
      return float32_pipelines(half_state);
    case FASTOPT_BFLOAT16:
      return bfloat16_pipelines(half_state);
    case FASTOPT_FLOAT16:
      return float16_pipelines(half_state);
    default:
      return {};
  }
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

bool has_kernels(fastopt_dtype dtype, fastopt_dtype state_dtype) {
  return !pipelines_of(dtype, state_dtype).empty();
}

std::vector<Kernel> find_kernels(fastopt_dtype dtype, fastopt_dtype state_dtype, fastopt_isa isa,
                                 std::span<const OpId> ops) {
  std::vector<Kernel> found;
  while (!ops.empty()) {
    const Pipeline* longest = nullptr;
    for (const auto& pipeline : pipelines_of(dtype, state_dtype)) {
      if (begins_with(ops, pipeline) && (!longest || length(pipeline) > length(*longest)))
        longest = &pipeline;
    }
    if (!longest) return {};
    found.push_back(longest->kernels[isa - FASTOPT_PORTABLE]);
    ops = ops.subspan(length(*longest));
  }
  return found;
}

}  // namespace fastopt::fused
