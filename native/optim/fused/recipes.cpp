#include "optim/fused/recipes.h"

#include <utility>

namespace fastopt::fused {

Recipes::Recipes(const Part& part) : uses_(part.nodes.size()), absorbed_(part.nodes.size()) {
  const auto use = [&](Value value) {
    if (!value.uniform) ++uses_[value.number];
  };
  for (const auto& node : part.nodes)
    for (const auto operand : node.operands) use(operand);
  for (const auto& sum : part.sums) use({false, sum.node});
  for (const auto& store : part.stores) use(store.value);

  for (const auto& node : part.nodes) {
    const auto* operands = node.operands.data();
    Recipe recipe{node.code, {operands, operands + operand_count(node.code)}};
    auto& terms = recipe.operands;
    switch (node.code) {
      case FASTOPT_MUL:
        if (terms[1].uniform) std::swap(terms[0], terms[1]);
        break;
      case FASTOPT_ADD:
        if (terms[1].uniform) std::swap(terms[0], terms[1]);
        fuse_root(recipe) || fuse_product(recipe, 1, kMulAdd, kAddProducts) ||
            fuse_product(recipe, 0, kMulAdd, -1) ||
            fuse_quotient(recipe, 1, kAddQuotient, kAddScaledQuotient) ||
            fuse_quotient(recipe, 0, kAddQuotient, kAddScaledQuotient);
        break;
      case FASTOPT_SUB:
        fuse_product(recipe, 1, kSubMul, kSubProducts) || fuse_product(recipe, 0, kMulSub, -1) ||
            fuse_quotient(recipe, 1, kSubQuotient, kSubScaledQuotient);
        break;
      default:
        break;
    }
    recipes_.push_back(std::move(recipe));
  }
}

// Whether a value is made by this operation, and for one user alone.
bool Recipes::is(Value value, int32_t operation) const {
  return !value.uniform && uses_[value.number] == 1 &&
         recipes_[value.number].operation == operation;
}

std::vector<Value> Recipes::absorb(Value value) {
  absorbed_[value.number] = true;
  return recipes_[value.number].operands;
}

// A uniform is added to a root, perhaps of what is divided by another uniform.
bool Recipes::fuse_root(Recipe& recipe) {
  const auto [plus, root] = std::pair(recipe.operands[0], recipe.operands[1]);
  if (!plus.uniform || !is(root, FASTOPT_SQRT)) return false;
  const auto under = absorb(root)[0];
  recipe = {kRootPlus, {under, plus}};
  if (!is(under, FASTOPT_DIV) || !recipes_[under.number].operands[1].uniform) return true;
  const auto quotient = absorb(under);
  recipe = {kRootOfQuotientPlus, {quotient[0], quotient[1], plus}};
  return true;
}

// One term is a product; -1: the other may not be one as well.
bool Recipes::fuse_product(Recipe& recipe, int term, int32_t with_other, int32_t with_product) {
  const auto [product, other] = std::pair(recipe.operands[term], recipe.operands[1 - term]);
  if (!is(product, FASTOPT_MUL)) return false;
  const auto factors = absorb(product);
  if (with_product >= 0 && is(other, FASTOPT_MUL)) {
    const auto first = absorb(other);
    recipe = {with_product, {first[0], first[1], factors[0], factors[1]}};
  } else {
    recipe = {with_other, {factors[0], factors[1], other}};
  }
  return true;
}

// One term is a quotient, perhaps of what is multiplied by a uniform.
bool Recipes::fuse_quotient(Recipe& recipe, int term, int32_t plain, int32_t scaled) {
  const auto [quotient, other] = std::pair(recipe.operands[term], recipe.operands[1 - term]);
  if (other.uniform || !is(quotient, FASTOPT_DIV)) return false;
  const auto& parts = recipes_[quotient.number].operands;
  const auto [above, below] = std::pair(parts[0], parts[1]);
  if (above.uniform || below.uniform) return false;
  absorb(quotient);
  recipe = {plain, {above, below, other}};
  if (is(above, FASTOPT_MUL) && recipes_[above.number].operands[0].uniform) {
    const auto factors = absorb(above);
    recipe = {scaled, {factors[1], below, other, factors[0]}};
  }
  return true;
}

}  // namespace fastopt::fused
