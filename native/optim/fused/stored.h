// How parameters are stored, and the type in which they are computed with.
#pragma once
#include <stdint.h>
#include <string.h>

#include "optim/fused/element.h"

namespace fastopt::fused {

// The upper half of a float32; rounds to nearest even.
struct BFloat16 {
  uint16_t bits;
  BFloat16() = default;
  FASTOPT_HD BFloat16(float value) {
    uint32_t wide;
    memcpy(&wide, &value, sizeof wide);
    const uint32_t rounded = wide + 0x7fff + (wide >> 16 & 1);
    bits = static_cast<uint16_t>((value != value ? wide | 0x400000 : rounded) >> 16);
  }
  FASTOPT_HD operator float() const {
    const uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
  }
};

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
struct Float16 {
  uint16_t bits;
  Float16() = default;
  FASTOPT_HD Float16(float value) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value)); }
  FASTOPT_HD operator float() const {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
  }
};
#elif defined(__FLT16_MAX__)
#if defined(__aarch64__) && !defined(__clang__) && __GNUC__ < 13
using Float16 = __fp16;  // it knows _Float16 in C alone
#else
using Float16 = _Float16;
#endif
#endif

template <class Stored>
struct ComputedIn {
  using Real = float;
};
template <>
struct ComputedIn<double> {
  using Real = double;
};

}  // namespace fastopt::fused
