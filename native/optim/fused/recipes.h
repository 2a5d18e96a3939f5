// Which nodes of a part are computed together, for fewer passes over a block.
#pragma once
#include "optim/fused/vectors.h"

namespace fastopt::fused {

// An operation (vectors.h) on nodes of the part and uniforms.
struct Recipe {
  int32_t operation;
  std::vector<Value> operands;
};

class Recipes {
 public:
  explicit Recipes(const Part& part);

  const Recipe& operator[](size_t node) const { return recipes_[node]; }
  // Whether the recipe of another node computes this one.
  bool is_absorbed(size_t node) const { return absorbed_[node]; }

 private:
  bool is(Value value, int32_t operation) const;
  std::vector<Value> absorb(Value value);
  bool fuse_root(Recipe& recipe);
  bool fuse_product(Recipe& recipe, int term, int32_t with_other, int32_t with_product);
  bool fuse_quotient(Recipe& recipe, int term, int32_t plain, int32_t scaled);

  std::vector<Recipe> recipes_;
  std::vector<int> uses_;
  std::vector<bool> absorbed_;
};

}  // namespace fastopt::fused
