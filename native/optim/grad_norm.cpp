#include "optim/grad_norm.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <numeric>

namespace fastopt::optim {
namespace {

constexpr int64_t kChunk = 1 << 15;

// Several sums at once, as each addition waits for the one before it.
template <class T>
double sum_of_squares(const T* data, int64_t count) {
  constexpr int64_t kLanes = 8;
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const auto value = static_cast<double>(data[i + lane]);
      sums[lane] += value * value;
    }
  }
  for (; i < count; ++i) sums[0] += static_cast<double>(data[i]) * static_cast<double>(data[i]);
  return std::accumulate(sums, sums + kLanes, 0.0);
}

}  // namespace

double norm_of(const std::vector<Elements>& all, at::ScalarType dtype) {
  std::vector<std::pair<const Elements*, int64_t>> chunks;
  for (const auto& elements : all) {
    for (int64_t begin = 0; begin < elements.count; begin += kChunk)
      chunks.emplace_back(&elements, begin);
  }
  std::vector<double> sums(chunks.size());
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, dtype, "norm_of", [&] {
    at::parallel_for(0, static_cast<int64_t>(chunks.size()), 8, [&](int64_t begin, int64_t end) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
        const auto [elements, first] = chunks[i];
        sums[i] = sum_of_squares(static_cast<const scalar_t*>(elements->data) + first,
                                 std::min(kChunk, elements->count - first));
      }
    });
  });
  return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0));
}

}  // namespace fastopt::optim
