#pragma once
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <vector>

namespace fastopt::optim {

// The elements of one gradient, in any order.
struct Elements {
  const void* data;
  int64_t count;
};

// The square root of the sum of all squares, summed in float64; the same for any number of threads.
// Of float32, float64, bfloat16 and float16.
double norm_of(const std::vector<Elements>& all, at::ScalarType dtype);

}  // namespace fastopt::optim
