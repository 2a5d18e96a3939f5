import { accessors } from '../internal/accessors';
import { native } from '../internal/binding';
import { ArgumentError } from '../internal/errors';

/** The switches of cuDNN, which computes convolutions. */
type CudnnSwitches = {
  /** Uses cuDNN at all; true at first. */
  enabled: boolean;
  /** Tries out all algorithms for each new shape and keeps the fastest; false at first. */
  benchmark: boolean;
  /** Takes only algorithms that give the same bits each time; false at first. */
  deterministic: boolean;
  /** Lets convolutions in float32 round their factors to TF32, which has 10 bits of mantissa; true at first. */
  allowTf32: boolean;
};

/** The switches of matrix products. */
type MatmulSwitches = {
  /** Lets matrix products in float32 round their factors to TF32; false at first. */
  allowTf32: boolean;
};

// The addon knows them as `cudnn.enabled` and so on.
function switches<Name extends string>(group: string, names: readonly Name[]) {
  return accessors(
    names,
    (name) => native.backendSwitch(`${group}.${name}`),
    (name, on) => {
      if (typeof on !== 'boolean')
        throw new ArgumentError(`backends.${group}.${name}: expected a boolean, got ${String(on)}`);
      native.setBackendSwitch(`${group}.${name}`, on);
    },
  );
}

const names = ['enabled', 'benchmark', 'deterministic', 'allowTf32'] as const;
const cudnn: CudnnSwitches = switches('cudnn', names);
const matmul: MatmulSwitches = switches('matmul', ['allowTf32']);

/**
 * libtorch's switches for NVIDIA's libraries. They hold for the whole process, and can be set where there is no GPU.
 *
 * @example
 * ```ts
 * backends.cudnn.benchmark = true; // for shapes that stay the same
 * backends.cuda.matmul.allowTf32 = true;
 * ```
 */
export const backends = Object.freeze({ cudnn, cuda: Object.freeze({ matmul }) });
