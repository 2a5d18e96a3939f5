import { inspect } from 'node:util';
import { native } from '../internal/binding';
import { ArgumentError } from '../internal/errors';

/** A GPU by its index or its name; `'cuda'` is the current one. */
export type CudaDevice = number | 'cuda' | `cuda:${number}`;

/** Returns the index of a GPU, the current one's where none is given; whether it is there, the addon checks. */
export function indexOf(where: string, device: CudaDevice | undefined): number {
  if (device === undefined || device === 'cuda') return native.cudaCurrentDevice();
  const given: unknown = device;
  const name = typeof given === 'string' ? /^cuda:(\d+)$/.exec(given)?.[1] : undefined;
  const index = typeof given === 'number' ? given : Number(name);
  if (Number.isSafeInteger(index) && index >= 0) return index;
  throw new ArgumentError(
    `${where}: expected a GPU such as 0 or 'cuda:0', got ${inspect(device, { depth: 0 })}`,
  );
}

/** Tells whether the libtorch at hand was built with CUDA, whether or not there is a GPU. */
export function isBuilt(): boolean {
  return native.cudaIsBuilt();
}

/** Tells whether tensors can live on a GPU here: libtorch has CUDA, and there is a driver and a GPU. */
export function isAvailable(): boolean {
  return native.cudaDeviceCount() > 0;
}

/** Returns how many GPUs there are; none is no error. */
export function deviceCount(): number {
  return native.cudaDeviceCount();
}

/**
 * Returns the index of the GPU that `'cuda'` stands for in this thread.
 *
 * @throws CudaUnavailableError where there is none, as all below do.
 */
export function currentDevice(): number {
  return native.cudaCurrentDevice();
}

/** Makes a GPU the one that `'cuda'` stands for in this thread. */
export function setDevice(device: CudaDevice): void {
  native.cudaSetDevice(indexOf('cuda.setDevice', device));
}

/** Waits until a GPU has done all that it was given, in all its streams. */
export function synchronize(device?: CudaDevice): void {
  native.cudaSynchronize(indexOf('cuda.synchronize', device));
}
