import { native } from '../internal/binding';
import { ArgumentError } from '../internal/errors';
import type { BackendSwitch } from '../internal/native';

function set(name: BackendSwitch, on: unknown): void {
  if (typeof on === 'boolean') return void native.setBackendSwitch(name, on);
  throw new ArgumentError(`backends.${name}: expected a boolean, got ${String(on)}`);
}

/**
 * libtorch's switches for NVIDIA's libraries. They hold for the whole process, and can be set where there is no GPU.
 *
 * @example
 * ```ts
 * backends.cudnn.benchmark = true; // for shapes that stay the same
 * backends.cuda.matmul.allowTf32 = true;
 * ```
 */
export const backends = Object.freeze({
  /** cuDNN, which computes convolutions. */
  cudnn: Object.seal({
    /** Uses cuDNN at all; true at first. */
    get enabled(): boolean {
      return native.backendSwitch('cudnn.enabled');
    },
    set enabled(on: boolean) {
      set('cudnn.enabled', on);
    },
    /** Tries out all algorithms for each new shape and keeps the fastest; false at first. */
    get benchmark(): boolean {
      return native.backendSwitch('cudnn.benchmark');
    },
    set benchmark(on: boolean) {
      set('cudnn.benchmark', on);
    },
    /** Takes only algorithms that give the same bits each time; false at first. */
    get deterministic(): boolean {
      return native.backendSwitch('cudnn.deterministic');
    },
    set deterministic(on: boolean) {
      set('cudnn.deterministic', on);
    },
    /** Lets convolutions in float32 round their factors to TF32, which has 10 bits of mantissa; true at first. */
    get allowTf32(): boolean {
      return native.backendSwitch('cudnn.allowTf32');
    },
    set allowTf32(on: boolean) {
      set('cudnn.allowTf32', on);
    },
  }),
  cuda: Object.freeze({
    matmul: Object.seal({
      /** Lets matrix products in float32 round their factors to TF32; false at first. */
      get allowTf32(): boolean {
        return native.backendSwitch('matmul.allowTf32');
      },
      set allowTf32(on: boolean) {
        set('matmul.allowTf32', on);
      },
    }),
  }),
});
