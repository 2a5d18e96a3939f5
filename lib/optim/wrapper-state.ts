import { inspect } from 'node:util';
import { native } from '../internal/binding';
import { ArgumentError } from '../internal/errors';
import type { NativeState, OptimizerHandle, TensorHandle } from '../internal/native';
import { tidy } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';
import type { ParamState } from './types';
import type { TorchKind } from './wrapper-options';

/** Picks the flags, which libtorch knows nothing of, from a state. */
export function flagsOf({ do_wd, force_train }: ParamState): ParamState {
  return {
    ...(do_wd === undefined ? {} : { do_wd }),
    ...(force_train === undefined ? {} : { force_train }),
  };
}

function cloneOf(handle: TensorHandle): Tensor {
  return new Tensor(handle).clone();
}

/** Copies what libtorch keeps for one parameter; the tensors belong to the innermost scope. */
export function readState(optimizer: OptimizerHandle, index: number): ParamState {
  return tidy(() =>
    Object.fromEntries(
      Array.from(native.optimizerState(optimizer, index), ([key, value]): [string, unknown] => {
        if (typeof value === 'number') return [key, value];
        return [key, Array.isArray(value) ? Array.from(value, cloneOf) : cloneOf(value)];
      }),
    ),
  );
}

/** Gives libtorch a copy of a parameter's state, with its device and dtype, as PyTorch does; does nothing for an empty one. */
export function writeState(
  optimizer: OptimizerHandle,
  kind: TorchKind,
  index: number,
  p: Tensor,
  state: ParamState,
): void {
  const { do_wd: _, force_train: __, ...rest } = state;
  const entries = Object.entries(rest);
  if (entries.length === 0) return;
  const handleOf = (value: unknown): TensorHandle => {
    if (value instanceof Tensor) {
      const isReal = [value, p].every(({ dtype }) => dtype.includes('float'));
      const { device, dtype } = p;
      return Tensor.handleOf(value.to({ device, copy: true, ...(isReal && { dtype }) }));
    }
    throw new ArgumentError(
      `loadStateDict: expected numbers and tensors in the state of parameter ${index}, got ${inspect(value, { depth: 0 })}`,
    );
  };
  const nativeOf = ([key, value]: [string, unknown]): [string, NativeState] => {
    if (typeof value === 'number') return [key, value];
    if (Array.isArray(value)) return [key, value.map(handleOf)];
    // LBFGS keeps vectors of all parameters, the others averages of the parameter's shape.
    if (kind !== 'LBFGS' && value instanceof Tensor && value.shape.join() !== p.shape.join()) {
      throw new ArgumentError(
        `loadStateDict: got ${key} of shape [${value.shape.join(', ')}] for parameter ${index}, which has [${p.shape.join(', ')}]`,
      );
    }
    return [key, handleOf(value)];
  };
  tidy(() => {
    native.optimizerSetState(optimizer, index, entries.map(nativeOf));
  });
}
