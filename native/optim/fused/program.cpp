#include "optim/fused/program.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "optim/fused/kernels.h"

namespace fastopt::fused {
namespace {

using Nodes = std::span<const fastopt_node>;

bool is_store(int32_t code) { return code == FASTOPT_STORE || code == FASTOPT_STORE_SCALAR; }

// How many values the index of a code chooses from; 0: the code has no index.
int32_t choices(int32_t code) {
  switch (code) {
    case FASTOPT_HYPER:
      return sizeof(fastopt_hypers) / sizeof(double);
    case FASTOPT_COUNTER:
      return sizeof(fastopt_counters) / sizeof(double);
    case FASTOPT_ELEMENT:
    case FASTOPT_SCALAR:
    case FASTOPT_STORE:
    case FASTOPT_STORE_SCALAR:
      return kArrays;
    default:
      return 0;
  }
}

std::vector<int32_t> operands_of(const fastopt_node& node) {
  const int32_t all[] = {node.a, node.b, node.c};
  return {all, all + operand_count(node.code)};
}

// How the arrays of a list are used, a bit each.
struct Usage {
  unsigned elements = 0, scalars = 0;
};

// Everything that the rest relies on.
const char* check(Nodes nodes, Usage& usage) {
  std::vector<bool> varies(nodes.size());  // by element
  unsigned stored = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const auto& node = nodes[i];
    if (node.code < 0 || node.code >= FASTOPT_CODES) return "a program has an unknown code";
    if (const auto count = choices(node.code); count > 0 && (node.index < 0 || node.index >= count))
      return "a program has an index out of range";
    varies[i] = node.code == FASTOPT_ELEMENT;
    for (const auto operand : operands_of(node)) {
      if (operand < 0 || static_cast<size_t>(operand) >= i)
        return "a program has an operand that doesn't come before it";
      if (is_store(nodes[operand].code)) return "a program has a store as an operand";
      if (varies[operand] && node.code != FASTOPT_SUM) varies[i] = true;
    }
    if (choices(node.code) != kArrays) continue;
    const unsigned array = 1u << node.index;
    const bool scalar = node.code == FASTOPT_SCALAR || node.code == FASTOPT_STORE_SCALAR;
    (scalar ? usage.scalars : usage.elements) |= array;
    if (scalar && node.index <= FASTOPT_GRAD)
      return "a program uses a parameter or a gradient as a scalar";
    if (!is_store(node.code)) continue;
    if (scalar && varies[i]) return "a program stores as a scalar what differs between elements";
    if (stored & array) return "a program stores twice to one array";
    stored |= array;
  }
  return nullptr;
}

// The stores and what they depend on.
std::vector<bool> live(Nodes nodes) {
  std::vector<bool> found(nodes.size());
  for (size_t i = nodes.size(); i-- > 0;) {
    if (is_store(nodes[i].code)) found[i] = true;
    if (!found[i]) continue;
    for (const auto operand : operands_of(nodes[i])) found[operand] = true;
  }
  return found;
}

// The numbers and all that they depend on, ascending.
std::vector<int32_t> with_dependencies(const std::vector<Uniform>& uniforms,
                                       const std::vector<int32_t>& numbers) {
  std::vector<bool> needed(uniforms.size());
  for (const auto number : numbers) needed[number] = true;
  for (size_t i = uniforms.size(); i-- > 0;) {
    for (const auto operand : uniforms[i].operands)
      if (needed[i] && operand >= 0) needed[operand] = true;
  }
  std::vector<int32_t> found;
  for (size_t i = 0; i < uniforms.size(); ++i)
    if (needed[i]) found.push_back(static_cast<int32_t>(i));
  return found;
}

// The uniforms of a list, each of them once.
class Uniforms {
 public:
  explicit Uniforms(std::vector<Uniform>& all) : all_(all) {}

  Value constant(double value) {
    return find_or_add({FASTOPT_CONSTANT, {-1, -1, -1}, 0, value, false, 0});
  }

  Value leaf(int32_t code, int32_t index, int32_t stage = 0) {
    const bool of_tensor = code == FASTOPT_SIZE || code == FASTOPT_SCALAR || code == FASTOPT_SUM;
    return find_or_add({code, {-1, -1, -1}, index, 0, of_tensor, stage});
  }

  Value operation(int32_t code, const std::array<Value, 3>& operands) {
    Uniform made{code, {-1, -1, -1}, 0, 0, false, 0};
    bool constant = true;
    double values[3]{};
    for (int k = 0; k < operand_count(code); ++k) {
      const auto& operand = all_[operands[k].number];
      made.operands[k] = operands[k].number;
      made.of_tensor |= operand.of_tensor;
      made.stage = std::max(made.stage, operand.stage);
      values[k] = operand.value;
      constant &= operand.code == FASTOPT_CONSTANT;
    }
    if (constant) return this->constant(compute(code, values[0], values[1], values[2]));
    return find_or_add(made);
  }

  const Uniform& operator[](Value value) const { return all_[value.number]; }

 private:
  Value find_or_add(const Uniform& wanted) {
    const auto key = std::tuple(wanted.code, wanted.operands, wanted.index,
                                std::bit_cast<uint64_t>(wanted.value));
    const auto [known, added] = known_.emplace(key, static_cast<int32_t>(all_.size()));
    if (added) all_.push_back(wanted);
    return {true, known->second};
  }

  std::vector<Uniform>& all_;
  std::map<std::tuple<int32_t, std::array<int32_t, 3>, int32_t, uint64_t>, int32_t> known_;
};

// The nodes of one program, and in which stage each is known first.
class Elements {
 public:
  Elements(const Uniforms& uniforms, int32_t begin) : uniforms_(uniforms), begin_(begin) {}

  Value add(int32_t code, const std::array<Value, 3>& operands, int32_t index = 0) {
    const ElementNode node{code, operands, index};
    const auto known = std::find(nodes_.begin(), nodes_.end(), node);
    const Value value{false, static_cast<int32_t>(known - nodes_.begin())};
    if (known == nodes_.end()) {
      auto stage = begin_;
      for (const auto operand : operands) stage = std::max(stage, stage_of(operand));
      nodes_.push_back(node);
      stages_.push_back(stage);
    }
    return value;
  }

  int32_t stage_of(Value value) const {
    if (!value.uniform) return stages_[value.number];
    return value.number < 0 ? begin_ : std::max(begin_, uniforms_[value].stage);
  }

  // What the sums and stores need, numbered anew.
  Part part(const std::vector<Sum>& sums, const std::vector<Store>& stores) const {
    std::vector<bool> needed(nodes_.size());
    for (const auto& sum : sums) needed[sum.node] = true;
    for (const auto& store : stores)
      if (!store.value.uniform) needed[store.value.number] = true;
    for (size_t i = nodes_.size(); i-- > 0;) {
      for (const auto operand : nodes_[i].operands)
        if (needed[i] && !operand.uniform) needed[operand.number] = true;
    }
    Part made{{}, sums, stores};
    std::vector<int32_t> numbers(nodes_.size());
    const auto renumber = [&](Value& value) {
      if (!value.uniform) value.number = numbers[value.number];
    };
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!needed[i]) continue;
      numbers[i] = static_cast<int32_t>(made.nodes.size());
      made.nodes.push_back(nodes_[i]);
      for (auto& operand : made.nodes.back().operands) renumber(operand);
    }
    for (auto& sum : made.sums) sum.node = numbers[sum.node];
    for (auto& store : made.stores) renumber(store.value);
    return made;
  }

 private:
  const Uniforms& uniforms_;
  int32_t begin_;
  std::vector<ElementNode> nodes_;
  std::vector<int32_t> stages_;
};

class StageMaker {
 public:
  explicit StageMaker(Stages& made) : made_(made), uniforms_(made.uniforms) {}

  // `with_program`: the first to touch the weights after it is a program.
  void add_callback(int32_t callback, unsigned touches, bool with_program) {
    if (touches & kParam) decay_now();
    if (callback == FASTOPT_WEIGHT_DECAY && with_program)
      decays_ = true;
    else
      stage(now_).items.push_back({callback, {}});
  }

  void add_program(Nodes nodes) {
    Elements elements(uniforms_, now_);
    const auto is_live = live(nodes);
    std::vector<Value> values(nodes.size());
    std::vector<Sum> sums;
    std::vector<Store> stores;
    std::vector<std::pair<int32_t, int32_t>> scalars;
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (!is_live[i]) continue;
      const auto& node = nodes[i];
      std::array<Value, 3> operands;
      for (int k = 0; const auto operand : operands_of(node)) operands[k++] = values[operand];
      if (node.code == FASTOPT_STORE)
        stores.push_back({node.index, operands[0]});
      else if (node.code == FASTOPT_STORE_SCALAR)
        scalars.emplace_back(node.index, operands[0].number);
      else if (node.code == FASTOPT_SUM)
        values[i] = sum(operands[0], elements, sums);
      else
        values[i] = value(node, operands, elements);
    }
    for (const auto& [array, uniform] : scalars) scalars_[array] = uniform;
    split(elements, sums, stores);
    const auto is_weights = [](const Store& store) { return store.array == FASTOPT_PARAM; };
    if (std::ranges::any_of(stores, is_weights)) decays_ = false;
  }

  void finish() {
    decay_now();
    std::vector<int32_t> stored;
    for (int32_t array = 0; array < kArrays; ++array) {
      if (!scalars_[array]) continue;
      made_.scalars.push_back({array, *scalars_[array]});
      stored.push_back(*scalars_[array]);
    }
    made_.last_uniforms = with_dependencies(made_.uniforms, stored);
    for (auto& stage : made_.stages) {
      std::vector<int32_t> passed;
      for (const auto& item : stage.items) {
        const auto numbers = uniforms_passed_to(item.part);
        passed.insert(passed.end(), numbers.begin(), numbers.end());
      }
      stage.uniforms = with_dependencies(made_.uniforms, passed);
    }
  }

 private:
  Stage& stage(int32_t number) {
    if (made_.stages.size() <= static_cast<size_t>(number)) made_.stages.resize(number + 1);
    return made_.stages[number];
  }

  Value value(const fastopt_node& node, const std::array<Value, 3>& operands, Elements& elements) {
    if (node.code == FASTOPT_ELEMENT) {
      const auto element = elements.add(node.code, operands, node.index);
      const bool decayed = decays_ && node.index == FASTOPT_PARAM;
      return decayed ? elements.add(FASTOPT_MUL, {element, decay()}) : element;
    }
    if (node.code == FASTOPT_CONSTANT) return uniforms_.constant(node.value);
    if (node.code == FASTOPT_SCALAR && scalars_[node.index])
      return {true, *scalars_[node.index]};  // of an earlier program of this step
    if (operand_count(node.code) == 0)
      return uniforms_.leaf(node.code, choices(node.code) > 0 ? node.index : 0);
    const auto by_element = [](Value operand) { return !operand.uniform; };
    if (std::none_of(operands.begin(), operands.end(), by_element))
      return uniforms_.operation(node.code, operands);
    const auto exponent = operands[1];
    if (node.code == FASTOPT_POW && exponent.uniform &&
        uniforms_[exponent].code == FASTOPT_CONSTANT)
      return power(operands[0], exponent, elements);
    return elements.add(node.code, operands);
  }

  // As WeightDecay (callbacks.h).
  Value decay() {
    const auto hyper = [&](size_t offset) {
      return uniforms_.leaf(FASTOPT_HYPER, static_cast<int32_t>(offset / sizeof(double)));
    };
    const auto size = uniforms_.operation(
        FASTOPT_MUL, {hyper(offsetof(fastopt_hypers, lr)), hyper(offsetof(fastopt_hypers, wd))});
    const auto one = uniforms_.constant(1);
    const auto does =
        uniforms_.leaf(FASTOPT_COUNTER, offsetof(fastopt_counters, do_wd) / sizeof(double));
    return uniforms_.operation(FASTOPT_WHERE,
                               {does, uniforms_.operation(FASTOPT_SUB, {one, size}), one});
  }

  void decay_now() {
    if (decays_) stage(now_).items.push_back({FASTOPT_WEIGHT_DECAY, {}});
    decays_ = false;
  }

  // As PyTorch does it, which is also faster.
  Value power(Value base, Value exponent, Elements& elements) {
    const auto wanted = uniforms_[exponent].value;
    if (wanted == 0.5) return elements.add(FASTOPT_SQRT, {base});
    if (wanted == -1) return elements.add(FASTOPT_RECIPROCAL, {base});
    if (wanted != 2 && wanted != 3) return elements.add(FASTOPT_POW, {base, exponent});
    const auto square = elements.add(FASTOPT_MUL, {base, base});
    return wanted == 2 ? square : elements.add(FASTOPT_MUL, {square, base});
  }

  Value sum(Value of, const Elements& elements, std::vector<Sum>& sums) {
    if (of.uniform) return uniforms_.operation(FASTOPT_MUL, {of, uniforms_.leaf(FASTOPT_SIZE, 0)});
    const auto same = [&](const Sum& sum) { return sum.node == of.number; };
    const auto known = std::find_if(sums.begin(), sums.end(), same);
    const auto number = known == sums.end() ? made_.sum_count++ : known->number;
    if (known == sums.end()) sums.push_back({number, of.number});
    return uniforms_.leaf(FASTOPT_SUM, number, elements.stage_of(of) + 1);
  }

  // Shares a program out to stages. It stores in the last of them, as the others read what was
  // there before.
  void split(const Elements& elements, const std::vector<Sum>& sums,
             const std::vector<Store>& stores) {
    const auto begin = now_;
    for (const auto& sum : sums) now_ = std::max(now_, elements.stage_of({false, sum.node}));
    for (const auto& store : stores) now_ = std::max(now_, elements.stage_of(store.value));
    for (auto number = begin; number <= now_; ++number) {
      std::vector<Sum> here;
      for (const auto& sum : sums)
        if (elements.stage_of({false, sum.node}) == number) here.push_back(sum);
      const bool last = number == now_ && !stores.empty();
      if (!here.empty() || last)
        stage(number).items.push_back(
            {-1, elements.part(here, last ? stores : std::vector<Store>())});
    }
  }

  Stages& made_;
  Uniforms uniforms_;
  int32_t now_ = 0;  // the stage in which the next callback begins
  // Decay that the next program does where it reads weights, so that they are rounded once.
  bool decays_ = false;
  std::optional<int32_t> scalars_[kArrays];  // what programs have stored so far: uniforms
};

// Whether the first of the callbacks that touches the weights is a program.
bool is_for_a_program(std::span<const int32_t> callbacks,
                      std::span<const fastopt_program> programs) {
  const auto is_weight = [](const fastopt_node& node) {
    return choices(node.code) == kArrays && node.index == FASTOPT_PARAM;
  };
  for (const auto callback : callbacks) {
    if (const auto* known = find_callback(callback)) {
      if (known->touches & kParam) return false;
    } else if (const auto number = int64_t{callback} - FASTOPT_PROGRAM;
               number >= 0 && number < std::ssize(programs)) {
      const auto [nodes, count] = programs[number];
      if (std::ranges::any_of(std::span(nodes, std::max<int64_t>(count, 0)), is_weight))
        return true;
    }
  }
  return false;
}

}  // namespace

const char* make_stages(const fastopt_plan_options& options, Stages& made) {
  StageMaker maker(made);
  Usage usage;
  const std::span callbacks(options.callbacks, options.callback_count);
  const std::span programs(options.programs, options.program_count);
  for (size_t i = 0; i < callbacks.size(); ++i) {
    const auto callback = callbacks[i];
    if (const auto* known = find_callback(callback)) {
      usage.elements |= known->touches;
      if (known->op)
        maker.add_callback(callback, known->touches,
                           is_for_a_program(callbacks.subspan(i + 1), programs));
      continue;
    }
    const auto number = int64_t{callback} - FASTOPT_PROGRAM;
    if (number < 0 || number >= std::ssize(programs)) return "a callback is unknown to this build";
    const auto [nodes, count] = programs[number];
    if (count < 0 || count > kMaxNodes) return "a program has more than 1,024 nodes";
    if (const char* problem = check({nodes, static_cast<size_t>(count)}, usage)) return problem;
    maker.add_program({nodes, static_cast<size_t>(count)});
    if (made.uniforms.size() > kMaxNodes)
      return "programs have more than 1,024 values of whole tensors";
  }
  if (usage.elements & usage.scalars) return "a state is used both by element and as a scalar";
  maker.finish();
  return nullptr;
}

int32_t Stages::passes() const {
  const auto has_items = [](const Stage& stage) { return !stage.items.empty(); };
  return static_cast<int32_t>(std::ranges::count_if(stages, has_items));
}

std::vector<int32_t> uniforms_passed_to(const Part& part) {
  std::vector<int32_t> numbers;
  const auto add = [&](Value value) {
    if (value.uniform && value.number >= 0) numbers.push_back(value.number);
  };
  for (const auto& node : part.nodes)
    for (const auto operand : node.operands) add(operand);
  for (const auto& store : part.stores) add(store.value);
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

}  // namespace fastopt::fused
