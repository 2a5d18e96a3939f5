// What generated kernels are made of (source.cpp). A list of callbacks becomes, for each stage, a
// kernel of rows (a block for each tensor) and one that steps (a block for each part of a tensor).
#pragma once
#include "optim/fused/cuda/layout.h"
#include "optim/fused/stored.h"

namespace fastopt::fused {

template <class Real>
struct Values : Element<Real> {
  Real own[FASTOPT_OWN_STATES];
};

// Of 16 bytes, or less: what a thread loads at a time.
template <class T, int n>
struct alignas(sizeof(T) * n < 16 ? sizeof(T) * n : 16) Vector {
  T at[n];
};

template <class T, int n>
__device__ Vector<T, n> load(const void* array, int64_t begin) {
  return *reinterpret_cast<const Vector<T, n>*>(static_cast<const T*>(array) + begin);
}

template <class T, int n>
__device__ void store(void* array, int64_t begin, const Vector<T, n>& values) {
  *reinterpret_cast<Vector<T, n>*>(static_cast<T*>(array) + begin) = values;
}

constexpr __device__ bool has(unsigned arrays, int array) { return arrays >> array & 1; }

// Steps `n` elements, which are loaded and stored together.
template <int n, class Stage>
__device__ void step_elements(const DeviceTensor& t, int64_t begin, Stage& stage) {
  using Stored = typename Stage::Stored;
  using State = typename Stage::State;
  using Real = typename Stage::Real;
  constexpr unsigned reads = Stage::reads, writes = Stage::writes;
  Vector<Stored, n> p, g;
  Vector<State, n> grad_avg, sqr_avg, own[FASTOPT_OWN_STATES];
  Vector<Real, n> slow;
  if constexpr (reads & kParam) p = load<Stored, n>(t.arrays[FASTOPT_PARAM], begin);
  if constexpr (reads & kGrad) g = load<Stored, n>(t.arrays[FASTOPT_GRAD], begin);
  if constexpr (reads & kGradAvg) grad_avg = load<State, n>(t.arrays[FASTOPT_GRAD_AVG], begin);
  if constexpr (reads & kSqrAvg) sqr_avg = load<State, n>(t.arrays[FASTOPT_SQR_AVG], begin);
  if constexpr (reads & kSlow) slow = load<Real, n>(t.arrays[FASTOPT_SLOW], begin);
#pragma unroll
  for (int k = 0; k < FASTOPT_OWN_STATES; ++k) {
    if (has(reads, FASTOPT_OWN + k)) own[k] = load<State, n>(t.arrays[FASTOPT_OWN + k], begin);
  }
#pragma unroll
  for (int i = 0; i < n; ++i) {
    Values<Real> e{};
    if constexpr (reads & kParam) e.p = p.at[i];
    if constexpr (reads & kGrad) e.g = g.at[i];
    if constexpr (reads & kGradAvg) e.grad_avg = grad_avg.at[i];
    if constexpr (reads & kSqrAvg) e.sqr_avg = sqr_avg.at[i];
    if constexpr (reads & kSlow) e.slow = slow.at[i];
#pragma unroll
    for (int k = 0; k < FASTOPT_OWN_STATES; ++k) {
      if (has(reads, FASTOPT_OWN + k)) e.own[k] = own[k].at[i];
    }
    stage.apply(e);
    if constexpr (writes & kParam) p.at[i] = e.p;
    if constexpr (writes & kGrad) g.at[i] = e.g;
    if constexpr (writes & kGradAvg) grad_avg.at[i] = e.grad_avg;
    if constexpr (writes & kSqrAvg) sqr_avg.at[i] = e.sqr_avg;
    if constexpr (writes & kSlow) slow.at[i] = e.slow;
#pragma unroll
    for (int k = 0; k < FASTOPT_OWN_STATES; ++k) {
      if (has(writes, FASTOPT_OWN + k)) own[k].at[i] = e.own[k];
    }
  }
  if constexpr (writes & kParam) store(t.arrays[FASTOPT_PARAM], begin, p);
  if constexpr (writes & kGrad) store(t.arrays[FASTOPT_GRAD], begin, g);
  if constexpr (writes & kGradAvg) store(t.arrays[FASTOPT_GRAD_AVG], begin, grad_avg);
  if constexpr (writes & kSqrAvg) store(t.arrays[FASTOPT_SQR_AVG], begin, sqr_avg);
  if constexpr (writes & kSlow) store(t.arrays[FASTOPT_SLOW], begin, slow);
#pragma unroll
  for (int k = 0; k < FASTOPT_OWN_STATES; ++k) {
    if (has(writes, FASTOPT_OWN + k)) store(t.arrays[FASTOPT_OWN + k], begin, own[k]);
  }
}

__device__ inline bool skipped(const Args& args, const DeviceTensor& t) {
  return !t.arrays[FASTOPT_GRAD] || (args.found_inf && *args.found_inf != 0);
}

template <class Stage>
__device__ void step_block(const Args& args) {
  const auto part = args.blocks[blockIdx.x];
  const DeviceTensor t = args.tensors[part.tensor];
  if (skipped(args, t)) return;
  Stage stage(args.rows + static_cast<int64_t>(Stage::row_size) * t.row);
  const int64_t begin = static_cast<int64_t>(part.number) * kBlockElements, left = t.size - begin;
  const int32_t count = left < kBlockElements ? static_cast<int32_t>(left) : kBlockElements;
  constexpr int n = 16 / sizeof(typename Stage::Stored);
  const int32_t together = t.aligned ? count / n * n : 0;
  for (int32_t i = threadIdx.x * n; i < together; i += blockDim.x * n)
    step_elements<n>(t, begin + i, stage);
  for (int32_t i = together + threadIdx.x; i < count; i += blockDim.x)
    step_elements<1>(t, begin + i, stage);
  stage.add_up(args);
}

// The sum over the threads of a block, always in the same order.
__device__ inline double block_sum(double value) {
  __shared__ double parts[kBlockThreads];
  parts[threadIdx.x] = value;
  for (auto half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) parts[threadIdx.x] += parts[threadIdx.x + half];
  }
  __syncthreads();
  value = parts[0];
  __syncthreads();
  return value;
}

template <int sums>
__device__ void add_up_block(const Args& args, int sum, double value) {
  value = block_sum(value);
  if (threadIdx.x == 0) args.partial_sums[static_cast<int64_t>(blockIdx.x) * sums + sum] = value;
}

template <int sums>
__device__ double add_up_tensor(const Args& args, const DeviceTensor& t, int sum) {
  const int64_t blocks = (t.size + kBlockElements - 1) / kBlockElements;
  double value = 0;
  for (int64_t i = threadIdx.x; i < blocks; i += blockDim.x)
    value += args.partial_sums[(t.first_block + i) * sums + sum];
  return block_sum(value);
}

// Computes what all blocks of a tensor need, in the row of the tensor.
template <class Row>
__device__ void fill_row(const Args& args) {
  const DeviceTensor t = args.tensors[blockIdx.x];
  if (skipped(args, t)) return;
  double* sums = args.sums + static_cast<int64_t>(Row::sums) * blockIdx.x;
  Row::add_up(args, t, sums);
  if (threadIdx.x != 0) return;
  const auto& hypers = args.hypers[t.group];
  auto& counters = args.counters[blockIdx.x];
  if (args.counts) Row::count(hypers, counters);
  double* row = args.rows + static_cast<int64_t>(Row::row_size) * t.row;
  Row::fill(hypers, counters, t, sums, row);
}

template <class Real>
__device__ double scalar_of(const DeviceTensor& t, int array) {
  return *static_cast<const Real*>(t.arrays[array]);
}

template <class Real>
__device__ void store_scalar(const DeviceTensor& t, int array, double value) {
  *static_cast<Real*>(t.arrays[array]) = static_cast<Real>(value);
}

// The constants that can't be written in decimals.
__device__ inline double number_of_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace fastopt::fused
