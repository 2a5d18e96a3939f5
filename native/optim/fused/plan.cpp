#include <algorithm>
#include <atomic>
#include <memory>

#include "optim/fused/kernels.h"
#include "optim/fused/machine.h"

using namespace fastopt::fused;

namespace {

// What a thread takes at a time: small enough to share out evenly, large enough that taking it
// costs nothing.
constexpr int64_t kChunk = 1 << 16;
// What several kernels pass over one after the other: its five arrays stay in a core's first cache.
constexpr int64_t kBlock = 1 << 10;

struct Chunk {
  int64_t tensor, begin;
};

std::vector<Chunk> split(std::span<const fastopt_tensor> tensors) {
  std::vector<Chunk> chunks;
  int64_t room = 0;
  for (size_t t = 0; t < tensors.size(); ++t) {
    for (int64_t begin = 0; begin < tensors[t].size;) {
      if (room == 0) {
        chunks.push_back({static_cast<int64_t>(t), begin});
        room = kChunk;
      }
      const auto taken = std::min(room, tensors[t].size - begin);
      begin += taken;
      room -= taken;
    }
  }
  // Where the last chunk stops.
  if (!tensors.empty())
    chunks.push_back({static_cast<int64_t>(tensors.size()) - 1, tensors.back().size});
  return chunks;
}

// What is done to a block: by a kernel, or where there is none by a machine.
struct Pass {
  Kernel kernel;
  Machine machine;
};

// A pass over all tensors.
struct PlanStage {
  std::vector<Pass> passes;
  std::vector<Touched> arrays;  // by machines, which have so many instructions together
  int64_t instructions = 0;
  std::vector<int32_t> uniforms;
  bool of_tensor = false;     // whether tensors differ in their uniforms
  std::vector<int32_t> sums;  // the numbers of those that are added up here
};

}  // namespace

struct fastopt_plan {
  Storage storage{};
  std::vector<CallbackEntry> callbacks;
  Stages list;
  std::vector<PlanStage> stages;
  int64_t block_size = kBlock;
  std::vector<fastopt_tensor> tensors;
  std::vector<Chunk> chunks;
  // A chunk has a piece of each tensor from the one where it begins to the one where it stops.
  std::vector<size_t> first_pieces;
  std::vector<double> sums_of_pieces, sums;  // `list.sum_count` for each piece, and for each tensor

  // Of the step under way.
  const PlanStage* stage = nullptr;
  const fastopt_hypers* hypers = nullptr;
  const fastopt_counters* counters = nullptr;
  std::atomic<size_t> next_chunk = 0;

  UniformInputs inputs_of(int64_t tensor) const {
    return {&hypers[tensors[tensor].group], &counters[tensor], &tensors[tensor],
            sums.data() + tensor * list.sum_count, storage.wide()};
  }
};

namespace {

// Scalars and uniforms of one tensor after the other. Most tensors of an optimizer share one of a
// few sets of group and counters, so scalars of the last sets are remembered.
class Scalars {
 public:
  explicit Scalars(const fastopt_plan& plan) : plan_(plan) {}

  void set(int64_t tensor) {
    const auto group = plan_.tensors[tensor].group;
    const auto& n = plan_.counters[tensor];
    const bool same = now_->is_of(group, n);
    if (!same) now_ = &find(group, n);
    if (!same || plan_.stage->of_tensor) evaluate_uniforms(tensor);
  }

  const double* scalars() const { return now_->scalars; }
  // Of the type that is computed with.
  const void* uniforms() const {
    return plan_.storage.wide() ? static_cast<const void*>(wide_) : narrow_;
  }

 private:
  struct Set {
    int64_t group = -1;
    fastopt_counters counters{};
    double scalars[kScalars] = {};

    bool is_of(int64_t other, const fastopt_counters& n) const {
      return group == other && counters.step == n.step && counters.do_wd == n.do_wd &&
             counters.mu_product == n.mu_product;
    }
  };

  Set& find(int64_t group, const fastopt_counters& n) {
    for (auto& set : sets_)
      if (set.is_of(group, n)) return set;
    auto& oldest = sets_[computed_++ % std::size(sets_)];
    oldest.group = group;
    oldest.counters = n;
    for (const auto& callback : plan_.callbacks)
      callback.scalars(plan_.hypers[group], n, oldest.scalars);
    return oldest;
  }

  void evaluate_uniforms(int64_t tensor) {
    evaluate(plan_.list.uniforms, plan_.stage->uniforms, plan_.inputs_of(tensor), wide_);
    for (const auto number : plan_.stage->uniforms)
      narrow_[number] = static_cast<float>(wide_[number]);
  }

  const fastopt_plan& plan_;
  Set sets_[4];
  Set* now_ = sets_;
  size_t computed_ = 0;
  double wide_[kMaxNodes];
  float narrow_[kMaxNodes];
};

void run_part(const fastopt_plan& plan, const fastopt_tensor& tensor, int64_t begin, int64_t end,
              const double* scalars, Workspace& workspace) {
  const auto& stage = *plan.stage;
  const auto& passes = stage.passes;
  if (passes.size() == 1 && passes[0].kernel) return passes[0].kernel(tensor, begin, end, scalars);
  for (; begin < end; begin += plan.block_size) {
    const auto block_end = std::min(begin + plan.block_size, end);
    if (stage.instructions > 0)
      workspace.fetch_soon(stage.arrays, tensor, block_end,
                           std::min(block_end + plan.block_size, end), stage.instructions);
    for (const auto& [kernel, machine] : passes) {
      if (kernel)
        kernel(tensor, begin, block_end, scalars);
      else
        workspace.run(machine, tensor, begin, block_end);
    }
  }
}

void run_chunks(void* context) {
  auto& plan = *static_cast<fastopt_plan*>(context);
  Scalars scalars(plan);
  Workspace workspace(plan.block_size, plan.storage.wide());
  for (size_t i; (i = plan.next_chunk.fetch_add(1)) + 1 < plan.chunks.size();) {
    const auto stop = plan.chunks[i + 1];
    auto piece = plan.first_pieces[i];
    for (auto [t, begin] = plan.chunks[i]; t <= stop.tensor; ++t, ++piece, begin = 0) {
      const auto& tensor = plan.tensors[t];
      const auto end = t < stop.tensor ? tensor.size : stop.begin;
      if (begin >= end || !tensor.grad) continue;
      scalars.set(t);
      workspace.set(scalars.uniforms(), plan.sums_of_pieces.data() + piece * plan.list.sum_count);
      run_part(plan, tensor, begin, end, scalars.scalars(), workspace);
    }
  }
}

// Always in the same order, so that threads make no difference.
void combine_sums(fastopt_plan& plan) {
  const auto count = plan.list.sum_count;
  for (size_t i = 0; i + 1 < plan.chunks.size(); ++i) {
    auto piece = plan.first_pieces[i];
    for (auto t = plan.chunks[i].tensor; t <= plan.chunks[i + 1].tensor; ++t, ++piece) {
      for (const auto number : plan.stage->sums)
        plan.sums[t * count + number] += plan.sums_of_pieces[piece * count + number];
    }
  }
}

void store_scalars(const fastopt_plan& plan) {
  double values[kMaxNodes];
  for (size_t t = 0; t < plan.tensors.size(); ++t) {
    const auto& tensor = plan.tensors[t];
    if (!tensor.grad) continue;
    evaluate(plan.list.uniforms, plan.list.last_uniforms, plan.inputs_of(t), values);
    for (const auto& [array, uniform] : plan.list.scalars) {
      auto* scalar = array_of(tensor, array);
      if (plan.storage.wide())
        *static_cast<double*>(scalar) = values[uniform];
      else
        *static_cast<float*>(scalar) = static_cast<float>(values[uniform]);
    }
  }
}

const char* add_passes(fastopt_plan& plan, fastopt_isa isa, const Stage& stage) {
  PlanStage made;
  made.uniforms = stage.uniforms;
  for (const auto number : stage.uniforms) made.of_tensor |= plan.list.uniforms[number].of_tensor;
  for (auto item = stage.items.begin(); item != stage.items.end();) {
    std::vector<OpId> ops;
    for (; item != stage.items.end() && item->callback >= 0; ++item)
      ops.push_back(find_callback(item->callback)->op);
    const auto kernels = find_kernels(plan.storage.dtype, plan.storage.state_dtype, isa, ops);
    if (kernels.empty() && !ops.empty()) return "this build has no kernel for a callback";
    for (const auto kernel : kernels) made.passes.push_back({kernel, {}});
    for (; item != stage.items.end() && item->callback < 0; ++item) {
      Machine machine;
      if (const char* problem = assemble(item->part, plan.storage, isa, machine)) return problem;
      plan.block_size =
          std::min(plan.block_size, block_size_for(machine.registers, plan.storage.wide()));
      for (const auto& sum : item->part.sums) made.sums.push_back(sum.number);
      for (const auto& touched : machine.arrays)
        if (std::ranges::count(made.arrays, touched) == 0) made.arrays.push_back(touched);
      made.instructions += std::ssize(machine.instructions);
      made.passes.push_back({nullptr, std::move(machine)});
    }
  }
  plan.stages.push_back(std::move(made));
  return nullptr;
}

// Room for sums, of each piece and of each tensor.
void make_room(fastopt_plan& plan) {
  size_t pieces = 0;
  for (size_t i = 0; i + 1 < plan.chunks.size(); ++i) {
    plan.first_pieces.push_back(pieces);
    pieces += plan.chunks[i + 1].tensor - plan.chunks[i].tensor + 1;
  }
  plan.sums_of_pieces.resize(pieces * plan.list.sum_count);
  plan.sums.resize(plan.tensors.size() * plan.list.sum_count);
}

}  // namespace

const char* fastopt_plan_create(const fastopt_plan_options* options, fastopt_plan** made) {
  auto plan = std::make_unique<fastopt_plan>();
  plan->storage = {options->dtype, options->state_dtype};
  const auto isa = options->isa == FASTOPT_BEST ? best_isa() : options->isa;
  if (isa > best_isa()) return "this machine hasn't got the instruction set";
  if (!has_kernels(options->dtype, options->state_dtype))
    return "this build has no kernels for the types of parameters and state";
  if (const char* problem = make_stages(*options, plan->list)) return problem;
  for (const auto callback : std::span(options->callbacks, options->callback_count))
    if (const auto* entry = find_callback(callback)) plan->callbacks.push_back(*entry);
  for (const auto& stage : plan->list.stages)
    if (const char* problem = add_passes(*plan, isa, stage)) return problem;
  plan->tensors.assign(options->tensors, options->tensors + options->tensor_count);
  plan->chunks = split(plan->tensors);
  make_room(*plan);
  *made = plan.release();
  return nullptr;
}

void fastopt_plan_destroy(fastopt_plan* plan) { delete plan; }

int32_t fastopt_plan_passes(const fastopt_plan* plan) { return plan->list.passes(); }

fastopt_tensor* fastopt_plan_tensors(fastopt_plan* plan) { return plan->tensors.data(); }

void fastopt_plan_step(fastopt_plan* plan, const fastopt_hypers* hypers, fastopt_counters* counters,
                       fastopt_parallel parallel, void* pool) {
  for (const auto& callback : plan->callbacks) {
    for (size_t t = 0; t < plan->tensors.size(); ++t) {
      const auto& tensor = plan->tensors[t];
      if (tensor.grad) callback.count(hypers[tensor.group], counters[t]);
    }
  }
  plan->hypers = hypers;
  plan->counters = counters;
  std::ranges::fill(plan->sums, 0);
  for (const auto& stage : plan->stages) {
    plan->stage = &stage;
    plan->next_chunk = 0;
    std::ranges::fill(plan->sums_of_pieces, 0);
    if (parallel && plan->chunks.size() > 2) {
      parallel(pool, run_chunks, plan);
    } else {
      run_chunks(plan);
    }
    if (!stage.sums.empty()) combine_sums(*plan);
  }
  if (!plan->list.scalars.empty()) store_scalars(*plan);
}
