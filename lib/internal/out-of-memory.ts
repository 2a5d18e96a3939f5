import { freemem, totalmem } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { byteUnits, formatBytes } from './bytes';
import { toTorchError, TorchOutOfMemoryError, type MemoryFigures } from './errors';
import type { Native } from './native';

/** What is asked of the addon. */
type Asked = Pick<Native, 'memory' | 'cudaCurrentDevice' | 'cudaMemoryStats'>;

/** Tells whether the addon found no memory. */
export function isOutOfMemory(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'torch' in error &&
    error.torch === 'ERR_TORCH_OUT_OF_MEMORY'
  );
}

/** Frees what nothing refers to, now: an allocation that failed is worth a full collection. */
export function collectGarbage(): void {
  // Node has no other way to it in a process that wasn't started with --expose-gc.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
}

// libtorch tells what and where in its message alone: "you tried to allocate 4096 bytes", or
// "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of ...".
function requestedBy(message: string): number | undefined {
  const [, amount, unit] = /tried to allocate ([\d.]+) (bytes|[KMG]iB)/i.exec(message) ?? [];
  const power = byteUnits.findIndex((name) => name === unit);
  return power < 0 ? undefined : Math.round(Number(amount) * 1024 ** power);
}

function gpuOf(message: string, native: Asked): number | undefined {
  const index = /\bGPU (\d+)/.exec(message)?.[1];
  if (index !== undefined) return Number(index);
  return /CUDA|CUBLAS/.test(message) ? native.cudaCurrentDevice() : undefined;
}

function measure(message: string, native: Asked): MemoryFigures {
  const counters = new Float64Array(2);
  native.memory(counters);
  const [tensors = 0, bytes = 0] = counters;
  const system = { device: 'cpu', free: freemem(), total: totalmem(), allocated: bytes };
  return { requested: requestedBy(message), tensors, ...(ofGpu(message, native) ?? system) };
}

// Undefined where no GPU is meant, or where even asking it needs memory.
function ofGpu(
  message: string,
  native: Asked,
): Omit<MemoryFigures, 'requested' | 'tensors'> | undefined {
  try {
    const gpu = gpuOf(message, native);
    if (gpu === undefined) return undefined;
    const { free, total, allocated } = native.cudaMemoryStats(gpu);
    return { device: `cuda:${gpu}`, free, total, allocated };
  } catch {
    return undefined;
  }
}

function sentence({ device, requested, tensors, free, total, allocated }: MemoryFigures): string {
  const what = requested === undefined ? 'what it needs' : formatBytes(requested);
  const there = `${formatBytes(free)} of ${formatBytes(total)} are free`;
  const held = `tensors hold ${formatBytes(allocated)}, ${tensors} of them in JavaScript`;
  return `expected memory for ${what} on ${device}, got none: ${there}, ${held}; free some (tidy, dispose), or take a smaller batch`;
}

/** Makes the error of an allocation that failed, with libtorch's own words as its cause. */
export function outOfMemoryError(error: unknown, native: Asked): unknown {
  const plain = toTorchError(error);
  if (!(plain instanceof TorchOutOfMemoryError)) return plain;
  const { op, received, message } = plain;
  const figures = measure(message, native);
  return new TorchOutOfMemoryError(`${op ?? 'libtorch'}: ${sentence(figures)}`, {
    ...(op === undefined ? {} : { op }),
    ...(received === undefined ? {} : { received }),
    cause: plain.cause ?? new Error(message),
    figures,
  });
}
