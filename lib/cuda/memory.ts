import { native } from '../internal/binding';
import type { MemoryFigure } from '../internal/native';
import { indexOf, type CudaDevice } from './device';

/** What `memoryStats` tells of a GPU. */
export interface MemoryStats extends Readonly<Record<MemoryFigure, number>> {
  /** Bytes that tensors hold. */
  readonly allocated: number;
  readonly maxAllocated: number;
  /** Bytes that libtorch has taken from the GPU, those that it keeps for later tensors included. */
  readonly reserved: number;
  readonly maxReserved: number;
  /** Bytes that tensors hold, or that wait for a stream which still uses them. */
  readonly active: number;
  readonly maxActive: number;
  /** Bytes of the GPU that no process has. */
  readonly free: number;
  /** Bytes of the GPU. */
  readonly total: number;
  /** How often libtorch had to give back what it kept to get something larger. */
  readonly allocRetries: number;
  /** How often there was no memory in the end. */
  readonly outOfMemory: number;
}

/**
 * Returns what tensors hold of a GPU's memory, now and at most; the maxima count from the start, or from the last
 * `resetPeakMemoryStats`.
 */
export function memoryStats(device?: CudaDevice): MemoryStats {
  return { ...native.cudaMemoryStats(indexOf('cuda.memoryStats', device)) };
}

/** Lets the maxima of `memoryStats` begin anew. */
export function resetPeakMemoryStats(device?: CudaDevice): void {
  native.cudaResetPeakMemoryStats(indexOf('cuda.resetPeakMemoryStats', device));
}

/**
 * Gives back to the GPUs what libtorch keeps for later tensors, for other processes to have. It makes no room for this
 * process, which would have used it anyway. Without a GPU it does nothing.
 */
export function emptyCache(): void {
  native.cudaEmptyCache();
}
