// What a list of callbacks with programs among them becomes: stages, each of which is one parallel
// pass over all tensors. For the machine of the CPU and for generated CUDA alike.
//
// To step a tensor:
//
//   for each stage
//     evaluate its uniforms (those of later stages depend on the sums of earlier ones)
//     for each element, for each item in order
//       a built-in callback; or a part's nodes in order, then its sums, then its stores
//     combine the sums of all blocks
//   evaluate `last_uniforms`, then write `scalars`
//
// Lists without sums have at most one stage. A stage without items needs no pass.
#pragma once
#include "optim/fused/uniforms.h"

namespace fastopt::fused {

// How many nodes a program, and how many uniforms a list may have.
constexpr int32_t kMaxNodes = 1024;

constexpr int32_t kArrays = int32_t{FASTOPT_OWN} + FASTOPT_OWN_STATES;

// A uniform of the list, or of the element at hand a node of the same part; -1: none.
struct Value {
  bool uniform = true;
  int32_t number = -1;
  bool operator==(const Value&) const = default;
};

// ELEMENT, or an operation with at least one operand that is a node before it.
struct ElementNode {
  int32_t code;
  std::array<Value, 3> operands;
  int32_t index;  // of ELEMENT: the array
  bool operator==(const ElementNode&) const = default;
};

struct Sum {
  int32_t number;  // in the list
  int32_t node;
};

struct Store {
  int32_t array;
  Value value;
};

// What one stage does of one program.
struct Part {
  std::vector<ElementNode> nodes;
  std::vector<Sum> sums;
  // At most one for an array. An array may be overwritten of which an ELEMENT is stored elsewhere:
  // that is its value before.
  std::vector<Store> stores;
};

struct Item {
  int32_t callback;  // a built-in one with an operation, or -1: a part
  Part part;
};

struct Stage {
  std::vector<Item> items;
  std::vector<int32_t> uniforms;  // those of its parts, after all that they depend on
};

// Of a state of one element.
struct ScalarStore {
  int32_t array, uniform;
};

struct Stages {
  std::vector<Uniform> uniforms;  // of the whole list
  std::vector<Stage> stages;
  std::vector<ScalarStore> scalars;
  std::vector<int32_t> last_uniforms;  // as Stage::uniforms, for `scalars`
  int32_t sum_count = 0;

  int32_t passes() const;  // over all tensors
};

// Checks the callbacks and the programs of a plan and makes stages of them, or says why not. What
// no store depends on is left out.
const char* make_stages(const fastopt_plan_options& options, Stages& made);

// The uniforms that a part's nodes and stores have as operands, ascending.
std::vector<int32_t> uniforms_passed_to(const Part& part);

}  // namespace fastopt::fused
