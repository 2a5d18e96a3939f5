#include <algorithm>
#include <atomic>
#include <memory>

#include "optim/fused/kernels.h"

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

}  // namespace

struct fastopt_plan {
  std::vector<CallbackEntry> callbacks;
  std::vector<Kernel> kernels;
  std::vector<fastopt_tensor> tensors;
  std::vector<Chunk> chunks;

  // Of the step under way.
  const fastopt_hypers* hypers = nullptr;
  const fastopt_counters* counters = nullptr;
  std::atomic<size_t> next_chunk = 0;
};

namespace {

// The scalars of the tensor before: most tensors have the same group and step.
class ScalarsCache {
 public:
  explicit ScalarsCache(const fastopt_plan& plan) : plan_(plan) {}

  const double* of(int64_t tensor) {
    const auto group = plan_.tensors[tensor].group;
    const auto& n = plan_.counters[tensor];
    const bool same = group == group_ && n.step == counters_.step && n.do_wd == counters_.do_wd &&
                      n.mu_product == counters_.mu_product;
    if (!same) {
      for (const auto& callback : plan_.callbacks)
        callback.scalars(plan_.hypers[group], n, scalars_);
      group_ = group;
      counters_ = n;
    }
    return scalars_;
  }

 private:
  const fastopt_plan& plan_;
  int64_t group_ = -1;
  fastopt_counters counters_{};
  double scalars_[kScalars] = {};
};

void run_part(const fastopt_plan& plan, const fastopt_tensor& tensor, int64_t begin, int64_t end,
              const double* scalars) {
  if (plan.kernels.size() == 1) return plan.kernels[0](tensor, begin, end, scalars);
  for (; begin < end; begin += kBlock) {
    const auto block_end = std::min(begin + kBlock, end);
    for (const auto kernel : plan.kernels) kernel(tensor, begin, block_end, scalars);
  }
}

void run_chunks(void* context) {
  auto& plan = *static_cast<fastopt_plan*>(context);
  ScalarsCache scalars(plan);
  for (size_t i; (i = plan.next_chunk.fetch_add(1)) + 1 < plan.chunks.size();) {
    const auto stop = plan.chunks[i + 1];
    for (auto [t, begin] = plan.chunks[i]; t <= stop.tensor; ++t, begin = 0) {
      const auto& tensor = plan.tensors[t];
      const auto end = t < stop.tensor ? tensor.size : stop.begin;
      if (begin < end && tensor.grad) run_part(plan, tensor, begin, end, scalars.of(t));
    }
  }
}

}  // namespace

const char* fastopt_plan_create(const fastopt_plan_options* options, fastopt_plan** made) {
  auto plan = std::make_unique<fastopt_plan>();
  std::vector<OpId> ops;
  for (const auto callback : std::span(options->callbacks, options->callback_count)) {
    const auto* entry = find_callback(callback);
    if (!entry) return "a callback is unknown to this build";
    plan->callbacks.push_back(*entry);
    if (entry->op) ops.push_back(entry->op);
  }
  plan->kernels = find_kernels(options->dtype, options->isa, ops);
  if (plan->kernels.empty() && !ops.empty())
    return "this build or machine has no kernels for the dtype or the instruction set";
  plan->tensors.assign(options->tensors, options->tensors + options->tensor_count);
  plan->chunks = split(plan->tensors);
  *made = plan.release();
  return nullptr;
}

void fastopt_plan_destroy(fastopt_plan* plan) { delete plan; }

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
  plan->next_chunk = 0;
  if (parallel && plan->chunks.size() > 2) {
    parallel(pool, run_chunks, plan);
  } else {
    run_chunks(plan);
  }
}
