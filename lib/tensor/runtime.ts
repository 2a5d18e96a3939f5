import { native } from '../internal/binding';
import { checkOptions } from '../internal/options';
import type { Device } from './dtype';

/** Sets how many threads an operator may use, from 1 up; all cores by default. */
export function setNumThreads(count: number): void {
  native.setNumThreads(count);
}

export function getNumThreads(): number {
  return native.numThreads();
}

/**
 * Sets where tensors are made of numbers when no `device` is given, in this thread: by `tensor`, by `zeros`, `randn`, `arange` and
 * their like, and as the parameters of native layers, which are drawn on the CPU first. What follows a tensor (`zerosLike`,
 * `x.newZeros`) goes where that is, and what draws from a generator where the generator is.
 *
 * Source: PyTorch's `set_default_device`.
 * @param device `'cuda'` is the GPU that is current when a tensor is made; without one, as at first, it is the CPU. A tensor of
 *   another device that `tensor` copies goes there too, but not to the CPU.
 * @throws CudaUnavailableError where there is no such GPU; ArgumentError for another device that libtorch hasn't.
 * @example
 * ```ts
 * setDefaultDevice('cuda');
 * ones(3).device; // 'cuda:0'
 * ```
 */
export function setDefaultDevice(device?: Device): void {
  native.setDefaultDevice(device);
}

/** Returns where tensors are made when no `device` is given: `'cpu'`, or what `setDefaultDevice` has set, by its index. */
export function getDefaultDevice(): Device {
  return native.defaultDevice() ?? 'cpu';
}

/**
 * Makes operators give the same bits each time, or throw where libtorch knows no such way.
 *
 * @param options.warnOnly warns instead of throwing: a `TorchWarning` of Node, once for each text.
 */
export function useDeterministicAlgorithms(
  on: boolean,
  options: { readonly warnOnly?: boolean } = {},
): void {
  checkOptions('useDeterministicAlgorithms', options, ['warnOnly'], { warn_only: 'warnOnly' });
  native.setDeterministic(on, options.warnOnly ?? false);
}

/** What was loaded. */
export interface Version {
  /** libtorch's version, as the addon was built against it. */
  readonly libtorch: string;
  /** Whether this libtorch can use CUDA here. */
  readonly cuda: boolean;
  /** The Node-API that the addon registered for; the experimental one, whose finalizers run at once. */
  readonly napi: number;
}

export function version(): Version {
  const { libtorch, cuda, napiVersion } = native.info();
  return { libtorch, cuda, napi: napiVersion };
}
