#include "optim/fused/machine.h"

#include <algorithm>
#include <utility>

#include "optim/fused/recipes.h"

namespace fastopt::fused {
namespace {

int64_t element_size(fastopt_dtype dtype) {
  return dtype == FASTOPT_FLOAT64 ? 8 : dtype == FASTOPT_FLOAT32 ? 4 : 2;
}

int32_t load_from(fastopt_dtype dtype) {
  return dtype == FASTOPT_BFLOAT16  ? kLoadBFloat16
         : dtype == FASTOPT_FLOAT16 ? kLoadFloat16
                                    : kCopy;
}

int32_t store_to(fastopt_dtype dtype) {
  return dtype == FASTOPT_BFLOAT16  ? kStoreBFloat16
         : dtype == FASTOPT_FLOAT16 ? kStoreFloat16
                                    : kCopy;
}

// Puts the nodes of a part in an order, and their values in arrays and registers.
class Assembler {
 public:
  Assembler(const Part& part, const Storage& storage, fastopt_isa isa, Machine& machine)
      : part_(part), storage_(storage), isa_(isa), machine_(machine), recipes_(part) {}

  const char* assemble() {
    choose_order();
    find_last_uses();
    choose_arrays();
    for (int32_t at = 0; at < std::ssize(order_); ++at) {
      const auto node = order_[at];
      for (const auto operand : recipes_[node].operands) release(operand, at);
      if (!find_room(node)) return "a program needs more than 64 values at once";
      compute(node);
      for (const auto& sum : part_.sums)
        if (sum.node == node) emit(FASTOPT_SUM, sum.number, {{false, node}});
      release({false, node}, at);
    }
    for (const auto& store : part_.stores) {
      if (!store.value.uniform && place_[store.value.number] == store.array) continue;
      emit(store_to(storage_.of(store.array)), store.array, {store.value});
    }
    for (const auto& node : part_.nodes)
      if (node.code == FASTOPT_ELEMENT) touch(node.index);
    for (const auto& store : part_.stores) touch(store.array);
    const auto is_unknown = [](const Instruction& instruction) { return !instruction.run; };
    return std::ranges::any_of(machine_.instructions, is_unknown)
               ? "this build can't compute an operation of a program"
               : nullptr;
  }

 private:
  // Elements come where they are first needed, or first of all if their array is overwritten.
  void choose_order() {
    std::vector<bool> is_placed(part_.nodes.size());
    const auto visit = [&](int32_t node) {
      if (is_placed[node]) return;
      is_placed[node] = true;
      order_.push_back(node);
    };
    for (int32_t i = 0; i < std::ssize(part_.nodes); ++i)
      if (is_moved(i)) visit(i);
    for (int32_t i = 0; i < std::ssize(part_.nodes); ++i) {
      if (recipes_.is_absorbed(i) || part_.nodes[i].code == FASTOPT_ELEMENT) continue;
      for (const auto operand : recipes_[i].operands)
        if (!operand.uniform) visit(operand.number);
      visit(i);
    }
    for (const auto& sum : part_.sums) visit(sum.node);
    for (const auto& store : part_.stores)
      if (!store.value.uniform) visit(store.value.number);
  }

  void find_last_uses() {
    last_use_.resize(part_.nodes.size());
    for (int32_t at = 0; at < std::ssize(order_); ++at) {
      last_use_[order_[at]] = at;
      for (const auto operand : recipes_[order_[at]].operands)
        if (!operand.uniform) last_use_[operand.number] = at;
    }
    for (const auto& store : part_.stores)
      if (!store.value.uniform) last_use_[store.value.number] = static_cast<int32_t>(order_.size());
  }

  // Values need no register where they are read from an array as they are, or are computed right
  // into the one where they are stored, since what was there is no longer needed.
  void choose_arrays() {
    place_.assign(part_.nodes.size(), -1);
    for (int32_t i = 0; i < std::ssize(part_.nodes); ++i) {
      const auto& node = part_.nodes[i];
      if (node.code == FASTOPT_ELEMENT && !is_half(node.index) && !is_moved(i))
        place_[i] = node.index;
    }
    for (const auto& store : part_.stores) {
      const auto value = store.value.number;
      if (store.value.uniform || place_[value] >= 0 || is_half(store.array)) continue;
      if (part_.nodes[value].code == FASTOPT_ELEMENT) continue;
      const auto computed = std::find(order_.begin(), order_.end(), value) - order_.begin();
      bool is_free = true;
      for (int32_t i = 0; i < std::ssize(part_.nodes); ++i)
        if (place_[i] == store.array && last_use_[i] > computed) is_free = false;
      if (is_free) place_[value] = store.array;
    }
  }

  bool is_half(int32_t array) const { return element_size(storage_.of(array)) == 2; }

  // Whether a node is an element that is stored elsewhere, while its array is stored to.
  bool is_moved(int32_t node) const {
    if (part_.nodes[node].code != FASTOPT_ELEMENT) return false;
    const auto array = part_.nodes[node].index;
    bool is_overwritten = false, is_elsewhere = false;
    for (const auto& store : part_.stores) {
      is_overwritten |= store.array == array;
      is_elsewhere |= store.value == Value{false, node} && store.array != array;
    }
    return is_overwritten && is_elsewhere;
  }

  bool find_room(int32_t node) {
    if (place_[node] >= 0) return true;
    const auto room = std::find(std::begin(is_taken_), std::end(is_taken_), false);
    if (room == std::end(is_taken_)) return false;
    *room = true;
    const auto number = static_cast<int32_t>(room - is_taken_);
    machine_.registers = std::max(machine_.registers, number + 1);
    place_[node] = kArrays + number;
    return true;
  }

  void release(Value value, int32_t at) {
    if (value.uniform || last_use_[value.number] != at) return;
    if (const auto place = place_[value.number]; place >= kArrays)
      is_taken_[place - kArrays] = false;
  }

  void compute(int32_t node) {
    const auto& recipe = recipes_[node];
    if (recipe.operation != FASTOPT_ELEMENT)
      return emit(recipe.operation, place_[node], recipe.operands);
    const auto array = part_.nodes[node].index;
    if (place_[node] != array) push(load_from(storage_.of(array)), 0, place_[node], {array});
  }

  void emit(int32_t operation, int32_t out, const std::vector<Value>& operands) {
    unsigned uniforms = 0;
    std::array<int32_t, 4> in{};
    for (size_t k = 0; k < operands.size(); ++k) {
      if (operands[k].uniform) uniforms |= 1u << k;
      in[k] = operands[k].uniform ? operands[k].number : place_[operands[k].number];
    }
    push(operation, uniforms, out, in);
  }

  void push(int32_t operation, unsigned uniforms, int32_t out, const std::array<int32_t, 4>& in) {
    const auto run = find_vector_operation(operation, uniforms, storage_.wide(), isa_);
    machine_.instructions.push_back({run, out, in});
  }

  void touch(int32_t array) {
    const Touched touched{array, element_size(storage_.of(array))};
    if (std::ranges::count(machine_.arrays, touched) == 0) machine_.arrays.push_back(touched);
  }

  const Part& part_;
  const Storage storage_;
  const fastopt_isa isa_;
  Machine& machine_;
  const Recipes recipes_;
  std::vector<int32_t> order_, last_use_;  // an order of nodes; where in it each is last needed
  std::vector<int32_t> place_;             // of each node: a vector of Block; -1: not yet known
  bool is_taken_[kMaxRegisters]{};
};

// Two blocks of each array and the registers stay in the first cache.
constexpr int64_t kBlock = 1 << 9;
constexpr int64_t kLine = 64;

}  // namespace

fastopt_dtype Storage::of(int32_t array) const {
  if (array == FASTOPT_PARAM || array == FASTOPT_GRAD) return dtype;
  if (array == FASTOPT_SLOW) return wide() ? FASTOPT_FLOAT64 : FASTOPT_FLOAT32;
  return state_dtype;
}

const char* assemble(const Part& part, const Storage& storage, fastopt_isa isa, Machine& machine) {
  return Assembler(part, storage, isa, machine).assemble();
}

int64_t block_size_for(int32_t registers, bool wide) {
  const int64_t room = sizeof(Workspace::Registers) / (wide ? sizeof(double) : sizeof(float));
  return std::min(kBlock, room / std::max(registers, 1) / 64 * 64);
}

Workspace::Workspace(int64_t block_size, bool wide) {
  const auto bytes = block_size * static_cast<int64_t>(wide ? sizeof(double) : sizeof(float));
  const auto count = std::min<int64_t>(kMaxRegisters, sizeof(Registers) / bytes);
  for (int64_t i = 0; i < count; ++i) block_.vectors[kArrays + i] = registers_.bytes + i * bytes;
}

void Workspace::set(const void* uniforms, double* sums) {
  block_.uniforms = uniforms;
  block_.sums = sums;
}

void Workspace::run(const Machine& machine, const fastopt_tensor& tensor, int64_t begin,
                    int64_t end) {
  for (const auto& [array, size] : machine.arrays)
    block_.vectors[array] = static_cast<std::byte*>(array_of(tensor, array)) + begin * size;
  block_.size = end - begin;
  for (const auto& instruction : machine.instructions) {
    fetch();
    instruction.run(instruction, block_);
  }
}

void Workspace::fetch_soon(std::span<const Touched> arrays, const fastopt_tensor& tensor,
                           int64_t begin, int64_t end, int64_t times) {
  range_ = range_count_ = 0;
  int64_t lines = 0;
  for (const auto& [array, size] : arrays) {
    const auto* start = static_cast<const std::byte*>(array_of(tensor, array)) + begin * size;
    const auto count = ((end - begin) * size + kLine - 1) / kLine;
    ranges_[range_count_++] = {start, count};
    lines += count;
  }
  share_ = lines / times + 1;
}

void Workspace::fetch() {
#if defined(__GNUC__)
  for (auto left = share_; left > 0 && range_ < range_count_;) {
    auto& [at, lines] = ranges_[range_];
    const auto count = std::min(left, lines);
    for (int64_t i = 0; i < count; ++i) __builtin_prefetch(at + i * kLine, 1);
    at += count * kLine;
    lines -= count;
    left -= count;
    if (lines == 0) ++range_;
  }
#endif
}

}  // namespace fastopt::fused
