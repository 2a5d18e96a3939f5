#include "optim/fused/vectors.h"

#include <cmath>
#include <utility>

#include "optim/fused/sweep.h"

namespace fastopt::fused {
namespace {

// The sets of operands that may be uniforms, a bit each.
template <size_t... sets>
using Sets = std::index_sequence<sets...>;

template <int32_t operation>
struct Unary {
  static constexpr int32_t code = operation;
  static constexpr size_t operands = 1;
  using Uniforms = Sets<0>;
};

template <int32_t operation>
struct Binary {
  static constexpr int32_t code = operation;
  static constexpr size_t operands = 2;
  using Uniforms = Sets<0b00, 0b01, 0b10>;
};

// The first factor is the uniform if there is one (machine.cpp).
template <int32_t operation>
struct Product : Binary<operation> {
  using Uniforms = Sets<0b00, 0b01>;
};

template <int32_t operation>
struct Ternary {
  static constexpr int32_t code = operation;
  static constexpr size_t operands = 3;
  using Uniforms = Sets<0b000, 0b001, 0b010, 0b011, 0b100, 0b101, 0b110>;
};

template <int32_t operation>
struct ProductAnd : Ternary<operation> {
  using Uniforms = Sets<0b000, 0b001, 0b100, 0b101>;
};

template <int32_t operation>
struct QuotientAnd : Ternary<operation> {
  using Uniforms = Sets<0b000>;
};

template <int32_t operation>
struct Quaternary {
  static constexpr int32_t code = operation;
  static constexpr size_t operands = 4;
};

template <int32_t operation>
struct Products : Quaternary<operation> {
  using Uniforms = Sets<0b0000, 0b0001, 0b0100, 0b0101>;
};

template <int32_t operation>
struct ScaledQuotientAnd : Quaternary<operation> {
  using Uniforms = Sets<0b1000>;
};

#define FASTOPT_OPERATION(name, kind, parameters, result) \
  struct name : kind {                                    \
    template <class Real>                                 \
    static FASTOPT_HD Real apply parameters {             \
      return result;                                      \
    }                                                     \
  };

FASTOPT_OPERATION(Neg, Unary<FASTOPT_NEG>, (Real a), -a)
FASTOPT_OPERATION(Abs, Unary<FASTOPT_ABS>, (Real a), std::abs(a))
FASTOPT_OPERATION(Sign, Unary<FASTOPT_SIGN>, (Real a), Real(a > 0) - Real(a < 0))
FASTOPT_OPERATION(Sqrt, Unary<FASTOPT_SQRT>, (Real a), std::sqrt(a))
FASTOPT_OPERATION(Reciprocal, Unary<FASTOPT_RECIPROCAL>, (Real a), 1 / a)
FASTOPT_OPERATION(Not, Unary<FASTOPT_NOT>, (Real a), Real(a == 0))
FASTOPT_OPERATION(Add, Product<FASTOPT_ADD>, (Real a, Real b), a + b)
FASTOPT_OPERATION(Sub, Binary<FASTOPT_SUB>, (Real a, Real b), a - b)
FASTOPT_OPERATION(Mul, Product<FASTOPT_MUL>, (Real a, Real b), a* b)
FASTOPT_OPERATION(Div, Binary<FASTOPT_DIV>, (Real a, Real b), a / b)
FASTOPT_OPERATION(Maximum, Binary<FASTOPT_MAXIMUM>, (Real a, Real b), (b > a) | (b != b) ? b : a)
FASTOPT_OPERATION(Minimum, Binary<FASTOPT_MINIMUM>, (Real a, Real b), (b < a) | (b != b) ? b : a)
FASTOPT_OPERATION(Eq, Binary<FASTOPT_EQ>, (Real a, Real b), Real(a == b))
FASTOPT_OPERATION(Ne, Binary<FASTOPT_NE>, (Real a, Real b), Real(a != b))
FASTOPT_OPERATION(Lt, Binary<FASTOPT_LT>, (Real a, Real b), Real(a < b))
FASTOPT_OPERATION(Le, Binary<FASTOPT_LE>, (Real a, Real b), Real(a <= b))
FASTOPT_OPERATION(And, Binary<FASTOPT_AND>, (Real a, Real b), Real((a != 0) & (b != 0)))
FASTOPT_OPERATION(Or, Binary<FASTOPT_OR>, (Real a, Real b), Real((a != 0) | (b != 0)))
FASTOPT_OPERATION(Where, Ternary<FASTOPT_WHERE>, (Real a, Real b, Real c), a != 0 ? b : c)

FASTOPT_OPERATION(MulAdd, ProductAnd<kMulAdd>, (Real a, Real b, Real c), a* b + c)
FASTOPT_OPERATION(MulSub, ProductAnd<kMulSub>, (Real a, Real b, Real c), a* b - c)
FASTOPT_OPERATION(SubMul, ProductAnd<kSubMul>, (Real a, Real b, Real c), c - a * b)
FASTOPT_OPERATION(AddProducts, Products<kAddProducts>, (Real a, Real b, Real c, Real d),
                  a* b + c * d)
FASTOPT_OPERATION(SubProducts, Products<kSubProducts>, (Real a, Real b, Real c, Real d),
                  a* b - c * d)
FASTOPT_OPERATION(AddQuotient, QuotientAnd<kAddQuotient>, (Real a, Real b, Real c), c + a / b)
FASTOPT_OPERATION(SubQuotient, QuotientAnd<kSubQuotient>, (Real a, Real b, Real c), c - a / b)
FASTOPT_OPERATION(AddScaledQuotient, ScaledQuotientAnd<kAddScaledQuotient>,
                  (Real a, Real b, Real c, Real d), c + d * a / b)
FASTOPT_OPERATION(SubScaledQuotient, ScaledQuotientAnd<kSubScaledQuotient>,
                  (Real a, Real b, Real c, Real d), c - d * a / b)

struct RootPlus : Binary<kRootPlus> {
  using Uniforms = Sets<0b10>;
  template <class Real>
  static FASTOPT_HD Real apply(Real a, Real b) {
    return std::sqrt(a) + b;
  }
};

struct RootOfQuotientPlus : Ternary<kRootOfQuotientPlus> {
  using Uniforms = Sets<0b110>;
  template <class Real>
  static FASTOPT_HD Real apply(Real a, Real b, Real c) {
    return std::sqrt(a / b) + c;
  }
};

struct Copy : Unary<kCopy> {
  using Uniforms = Sets<0, 1>;
  template <class Real>
  static FASTOPT_HD Real apply(Real a) {
    return a;
  }
};

// By the library, an element at a time.
FASTOPT_OPERATION(Exp, Unary<FASTOPT_EXP>, (Real a), std::exp(a))
FASTOPT_OPERATION(Expm1, Unary<FASTOPT_EXPM1>, (Real a), std::expm1(a))
FASTOPT_OPERATION(Log, Unary<FASTOPT_LOG>, (Real a), std::log(a))
FASTOPT_OPERATION(Log1p, Unary<FASTOPT_LOG1P>, (Real a), std::log1p(a))
FASTOPT_OPERATION(Tanh, Unary<FASTOPT_TANH>, (Real a), std::tanh(a))
FASTOPT_OPERATION(Pow, Binary<FASTOPT_POW>, (Real a, Real b), std::pow(a, b))

template <class Real, class Op, size_t uniforms, size_t... k>
FASTOPT_INLINE void apply_to(const Instruction& instruction, const Block& block,
                             std::index_sequence<k...>) {
  constexpr bool is_uniform[] = {(uniforms >> k & 1) != 0 ...};
  const auto* values = static_cast<const Real*>(block.uniforms);
  const Real* const from[] = {is_uniform[k]
                                  ? values + instruction.in[k]
                                  : static_cast<const Real*>(block.vectors[instruction.in[k]])...};
  const Real fixed[] = {is_uniform[k] ? *from[k] : Real(0)...};
  auto* out = static_cast<Real*>(block.vectors[instruction.out]);
  FASTOPT_LOOP
  for (int64_t i = 0; i < block.size; ++i)
    out[i] = Op::template apply<Real>((is_uniform[k] ? fixed[k] : from[k][i])...);
}

template <class Real, class Op, size_t uniforms>
struct Apply {
  static FASTOPT_INLINE void run(const Instruction& instruction, const Block& block) {
    apply_to<Real, Op, uniforms>(instruction, block, std::make_index_sequence<Op::operands>());
  }
};

template <class To, class From, bool is_uniform = false>
struct Convert {
  static FASTOPT_INLINE void run(const Instruction& instruction, const Block& block) {
    const auto number = instruction.in[0];
    const auto* from = is_uniform ? static_cast<const From*>(block.uniforms) + number
                                  : static_cast<const From*>(block.vectors[number]);
    auto* out = static_cast<To*>(block.vectors[instruction.out]);
    FASTOPT_LOOP
    for (int64_t i = 0; i < block.size; ++i) out[i] = static_cast<To>(from[is_uniform ? 0 : i]);
  }
};

// In as many lanes on every machine, for the same sum.
template <class Real>
struct AddUp {
  static FASTOPT_INLINE void run(const Instruction& instruction, const Block& block) {
    constexpr int64_t lanes = 16;
    const auto* from = static_cast<const Real*>(block.vectors[instruction.in[0]]);
    double sums[lanes]{};
    int64_t i = 0;
    for (; i + lanes <= block.size; i += lanes)
      for (int64_t lane = 0; lane < lanes; ++lane) sums[lane] += from[i + lane];
    for (int64_t lane = 0; i < block.size; ++i, ++lane) sums[lane] += from[i];
    for (int64_t half = lanes / 2; half > 0; half /= 2)
      for (int64_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
    block.sums[instruction.out] += sums[0];
  }
};

using Run = decltype(Instruction::run);

struct PortableVectors {
  template <class Work>
  static void run(const Instruction& instruction, const Block& block) {
    Work::run(instruction, block);
  }
};

#if defined(__GNUC__) && defined(__x86_64__)
struct Avx2Vectors {
  template <class Work>
  FASTOPT_FOR(FASTOPT_AVX2_FEATURES)
  static void run(const Instruction& instruction, const Block& block) {
    Work::run(instruction, block);
  }
};

struct Avx512Vectors {
  template <class Work>
  FASTOPT_FOR(FASTOPT_AVX512_FEATURES)
  static void run(const Instruction& instruction, const Block& block) {
    Work::run(instruction, block);
  }
};

template <class Work>
Run run_of(fastopt_isa isa) {
  return isa == FASTOPT_AVX512 ? Avx512Vectors::run<Work>
         : isa == FASTOPT_AVX2 ? Avx2Vectors::run<Work>
                               : PortableVectors::run<Work>;
}
#else
template <class Work>
Run run_of(fastopt_isa) {
  return PortableVectors::run<Work>;
}
#endif

struct Wanted {
  int32_t operation;
  unsigned uniforms;
  fastopt_isa isa;
};

template <class Real, class Op, size_t... sets>
void look_among(const Wanted& wanted, Run& found, Sets<sets...>) {
  if (wanted.operation != Op::code) return;
  ((wanted.uniforms == sets ? void(found = run_of<Apply<Real, Op, sets>>(wanted.isa)) : void()),
   ...);
}

template <class Real, class... Ops>
Run find_among(const Wanted& wanted) {
  Run found = nullptr;
  (look_among<Real, Ops>(wanted, found, typename Ops::Uniforms()), ...);
  return found;
}

template <class Real>
Run find(const Wanted& wanted) {
  if (wanted.operation == FASTOPT_SUM) return run_of<AddUp<Real>>(wanted.isa);
  return find_among<Real, Neg, Abs, Sign, Sqrt, Reciprocal, Not, Add, Sub, Mul, Div, Maximum,
                    Minimum, Eq, Ne, Lt, Le, And, Or, Where, MulAdd, MulSub, SubMul, AddProducts,
                    SubProducts, AddQuotient, SubQuotient, AddScaledQuotient, SubScaledQuotient,
                    RootPlus, RootOfQuotientPlus, Copy, Exp, Expm1, Log, Log1p, Tanh, Pow>(wanted);
}

Run find_conversion(const Wanted& wanted) {
  switch (wanted.operation) {
    case kLoadBFloat16:
      return run_of<Convert<float, BFloat16>>(wanted.isa);
    case kStoreBFloat16:
      return wanted.uniforms ? run_of<Convert<BFloat16, float, true>>(wanted.isa)
                             : run_of<Convert<BFloat16, float>>(wanted.isa);
#if defined(__FLT16_MAX__)
    case kLoadFloat16:
      return run_of<Convert<float, Float16>>(wanted.isa);
    case kStoreFloat16:
      return wanted.uniforms ? run_of<Convert<Float16, float, true>>(wanted.isa)
                             : run_of<Convert<Float16, float>>(wanted.isa);
#endif
    default:
      return nullptr;
  }
}

}  // namespace

Run find_vector_operation(int32_t operation, unsigned uniforms, bool wide, fastopt_isa isa) {
  const Wanted wanted{operation, uniforms, isa};
  if (const auto run = find_conversion(wanted)) return run;
  return wide ? find<double>(wanted) : find<float>(wanted);
}

}  // namespace fastopt::fused
