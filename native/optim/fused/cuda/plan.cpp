#include "optim/fused/cuda/plan.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <tuple>

#include "optim/fused/kernels.h"

namespace fastopt::fused {
namespace {

size_t count_groups(std::span<const fastopt_tensor> tensors) {
  int64_t last = -1;
  for (const auto& tensor : tensors) last = std::max(last, tensor.group);
  return static_cast<size_t>(last + 1);
}

std::vector<BlockPart> split(std::span<const fastopt_tensor> tensors) {
  std::vector<BlockPart> blocks;
  for (size_t t = 0; t < tensors.size(); ++t) {
    const auto count = (tensors[t].size + kBlockElements - 1) / kBlockElements;
    for (int64_t i = 0; i < count; ++i)
      blocks.push_back({static_cast<int32_t>(t), static_cast<int32_t>(i)});
  }
  return blocks;
}

bool depends_on_tensors(const Stages& stages) {
  if (stages.stages.size() > 1 || !stages.scalars.empty()) return true;
  const auto& uniforms = stages.uniforms;
  return std::any_of(uniforms.begin(), uniforms.end(),
                     [](const auto& uniform) { return uniform.of_tensor; });
}

}  // namespace

CudaPlan::CudaPlan(ListOfCallbacks list, std::span<const fastopt_tensor> tensors,
                   std::unique_ptr<Gpu> gpu)
    : list_(std::move(list)),
      gpu_(std::move(gpu)),
      tensors_(tensors.begin(), tensors.end()),
      blocks_(split(tensors)),
      table_(tensors.size()),
      counted_(tensors.size()),
      common_rows_(!depends_on_tensors(list_.stages)),
      gpu_table_(*gpu_, tensors.size()),
      gpu_blocks_(*gpu_, blocks_.size()),
      gpu_rows_(*gpu_, tensors.size() * row_size(list_)),
      gpu_partial_sums_(*gpu_, blocks_.size() * list_.stages.sum_count),
      gpu_sums_(*gpu_, tensors.size() * list_.stages.sum_count),
      gpu_hypers_(*gpu_, count_groups(tensors)),
      gpu_counters_(*gpu_, tensors.size()) {}

void CudaPlan::step(const Hypers* hypers, Counters* counters, const float* found_inf,
                    void* stream) {
  const bool captured = gpu_->captures(stream);
  if (captured && !held_)
    throw Refused(
        "a step is captured while its counters are on the host; hold them on the device first");
  if (found_inf && !held_)
    throw Refused("the host can't count what the device skips; hold the counters there first");
  const auto idle = [](const fastopt_tensor& tensor) { return !tensor.grad; };
  if (std::all_of(tensors_.begin(), tensors_.end(), idle)) return;
  if (!held_) count(hypers, counters);
  if (!captured && (held_ || !common_rows_)) set_hypers(hypers, stream);
  if (!held_ && common_rows_) {
    find_rows(hypers);
    gpu_rows_.upload(rows_, stream);
  } else {
    for (size_t t = 0; t < table_.size(); ++t) table_[t].row = static_cast<int32_t>(t);
    if (!held_) gpu_counters_.upload(counted_, stream);
  }
  if (!captured) upload_blocks(stream);
  upload_table(captured, stream);
  launch(found_inf, stream);
  if (!held_) std::copy(counted_.begin(), counted_.end(), counters);
}

void CudaPlan::count(const Hypers* hypers, const Counters* counters) {
  counted_.assign(counters, counters + tensors_.size());
  for (const auto callback : list_.callbacks) {
    const auto* entry = find_callback(callback);
    for (size_t t = 0; t < tensors_.size(); ++t)
      if (tensors_[t].grad) entry->count(hypers[tensors_[t].group], counted_[t]);
  }
}

// A row for each distinct group and counters. These are told apart by their bits, as a NaN is not
// equal to itself, and would be to everything in a map.
void CudaPlan::find_rows(const Hypers* hypers) {
  const auto size = row_size(list_);
  std::map<std::tuple<int64_t, uint64_t, uint64_t, uint64_t>, int32_t> known;
  const auto bits = [](double number) { return std::bit_cast<uint64_t>(number); };
  rows_.clear();
  for (size_t t = 0; t < tensors_.size(); ++t) {
    const auto& n = counted_[t];
    const auto group = tensors_[t].group;
    if (!tensors_[t].grad) continue;
    const auto [row, added] =
        known.emplace(std::tuple(group, bits(n.step), bits(n.do_wd), bits(n.mu_product)),
                      static_cast<int32_t>(known.size()));
    table_[t].row = row->second;
    if (!added) continue;
    rows_.resize(rows_.size() + size);
    double* scalars = rows_.data() + rows_.size() - size;
    for (const auto callback : list_.callbacks)
      find_callback(callback)->scalars(hypers[group], n, scalars);
    for (const auto& stage : list_.stages.stages)
      evaluate(list_.stages.uniforms, stage.uniforms, {&hypers[group], &n, nullptr, nullptr, false},
               scalars + kScalars);
  }
}

void CudaPlan::upload_blocks(void* stream) {
  if (!blocks_uploaded_) gpu_blocks_.upload(blocks_, stream);
  blocks_uploaded_ = true;
}

void CudaPlan::upload_table(bool captured, void* stream) {
  int32_t first_block = 0;
  for (size_t t = 0; t < tensors_.size(); ++t) {
    auto& entry = table_[t];
    uintptr_t bits = 0;
    for (int32_t array = 0; array < kArrays; ++array) {
      entry.arrays[array] = array_of(tensors_[t], array);
      bits |= reinterpret_cast<uintptr_t>(entry.arrays[array]);
    }
    entry.aligned = bits % 16 == 0;
    entry.size = tensors_[t].size;
    entry.group = static_cast<int32_t>(tensors_[t].group);
    entry.first_block = first_block;
    first_block += static_cast<int32_t>((entry.size + kBlockElements - 1) / kBlockElements);
  }
  captured_ |= captured;
  const bool same =
      uploaded_.size() == table_.size() &&
      std::memcmp(uploaded_.data(), table_.data(), table_.size() * sizeof(DeviceTensor)) == 0;
  if (same && !captured_) return;
  gpu_table_.upload(table_, stream);
  uploaded_ = table_;
}

void CudaPlan::launch(const float* found_inf, void* stream) {
  Args args{};
  args.tensors = gpu_table_.data();
  args.blocks = gpu_blocks_.data();
  args.rows = gpu_rows_.data();
  args.hypers = gpu_hypers_.data();
  args.counters = gpu_counters_.data();
  args.partial_sums = gpu_partial_sums_.data();
  args.sums = gpu_sums_.data();
  args.found_inf = found_inf;
  args.counts = held_;
  const auto tensors = std::ssize(tensors_), blocks = std::ssize(blocks_);
  const auto& stages = list_.stages.stages;
  for (size_t i = 0; i < stages.size(); ++i) {
    if (i > 0 || held_ || !common_rows_)
      gpu_->launch(row_kernel(i), tensors, kRowThreads, args, stream);
    if (!stages[i].items.empty()) gpu_->launch(step_kernel(i), blocks, kBlockThreads, args, stream);
  }
  const bool counts_alone = stages.empty() && held_;
  if (counts_alone || !list_.stages.scalars.empty())
    gpu_->launch(row_kernel(stages.size()), tensors, kRowThreads, args, stream);
}

// ---- Counters on the device ----

void CudaPlan::check_held() const {
  if (!held_) throw Refused("the counters are on the host; hold them on the device first");
}

void CudaPlan::check_not_captured(void* stream) {
  if (gpu_->captures(stream))
    throw Refused("the stream is being captured; do this before or after, not in the graph");
}

void CudaPlan::hold_counters(const Counters* counters, void* stream) {
  check_not_captured(stream);
  upload_blocks(stream);  // once, rather than in each graph
  gpu_counters_.upload({counters, tensors_.size()}, stream);
  held_ = true;
}

void CudaPlan::set_hypers(const Hypers* hypers, void* stream) {
  check_not_captured(stream);
  gpu_hypers_.upload({hypers, count_groups(tensors_)}, stream);
}

void CudaPlan::read_counters(Counters* counters, void* stream) {
  check_held();
  check_not_captured(stream);
  gpu_counters_.download({counters, tensors_.size()}, stream);
}

}  // namespace fastopt::fused
