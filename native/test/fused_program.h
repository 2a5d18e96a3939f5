#pragma once
#include <cstddef>
#include <vector>

#include "optim/fused/fused.h"

// Writes programs as formulas.
namespace fused_program {

class Program;

struct Term {
  Program* program;
  int32_t node;
};

class Program {
 public:
  Term add(int32_t code, std::vector<int32_t> operands = {}, int32_t index = 0, double value = 0) {
    operands.resize(3);
    nodes.push_back({code, operands[0], operands[1], operands[2], index, value});
    return {this, static_cast<int32_t>(nodes.size()) - 1};
  }

  Term constant(double value) { return add(FASTOPT_CONSTANT, {}, 0, value); }
  Term hyper(double fastopt_hypers::* hyper) {
    const fastopt_hypers all{};
    return add(FASTOPT_HYPER, {}, static_cast<int32_t>(&(all.*hyper) - &all.lr));
  }
  Term own_hyper(int32_t index) {
    return add(FASTOPT_HYPER, {},
               static_cast<int32_t>(offsetof(fastopt_hypers, own) / sizeof(double)) + index);
  }
  Term step() { return add(FASTOPT_COUNTER, {}, 0); }
  Term size() { return add(FASTOPT_SIZE); }
  Term element(int32_t array) { return add(FASTOPT_ELEMENT, {}, array); }
  Term scalar(int32_t array) { return add(FASTOPT_SCALAR, {}, array); }
  void store(int32_t array, Term value) { add(FASTOPT_STORE, {value.node}, array); }
  void store_scalar(int32_t array, Term value) { add(FASTOPT_STORE_SCALAR, {value.node}, array); }

  std::vector<fastopt_node> nodes;
};

inline Term op(int32_t code, Term a) { return a.program->add(code, {a.node}); }
inline Term op(int32_t code, Term a, Term b) { return a.program->add(code, {a.node, b.node}); }
inline Term op(int32_t code, Term a, Term b, Term c) {
  return a.program->add(code, {a.node, b.node, c.node});
}
inline Term op(int32_t code, Term a, double b) { return op(code, a, a.program->constant(b)); }
inline Term op(int32_t code, double a, Term b) { return op(code, b.program->constant(a), b); }

template <class A, class B>
  requires std::is_same_v<A, Term> || std::is_same_v<B, Term>
Term operator+(A a, B b) {
  return op(FASTOPT_ADD, a, b);
}
template <class A, class B>
  requires std::is_same_v<A, Term> || std::is_same_v<B, Term>
Term operator-(A a, B b) {
  return op(FASTOPT_SUB, a, b);
}
template <class A, class B>
  requires std::is_same_v<A, Term> || std::is_same_v<B, Term>
Term operator*(A a, B b) {
  return op(FASTOPT_MUL, a, b);
}
template <class A, class B>
  requires std::is_same_v<A, Term> || std::is_same_v<B, Term>
Term operator/(A a, B b) {
  return op(FASTOPT_DIV, a, b);
}

inline Term sqrt(Term a) { return op(FASTOPT_SQRT, a); }
inline Term sum(Term a) { return op(FASTOPT_SUM, a); }
inline Term rms(Term a) { return sqrt(sum(a * a) / a.program->size()); }

}  // namespace fused_program
