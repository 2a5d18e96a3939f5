import { callNative, native } from './binding';
import type { TensorHandle } from './native';

/**
 * Prepares a call of one overload that returns a tensor, for the hand-written code: arguments come in the order of
 * `names`, tensors as handles.
 */
export function rawOp(
  name: string,
  overload: string,
  names: readonly string[],
): (...args: readonly unknown[]) => TensorHandle {
  let id = -1;
  return (...args) => {
    if (id < 0) id = native.findOp(name, overload, names);
    return callNative(id, args) as TensorHandle;
  };
}

/** The same for an overload that returns a list of tensors. */
export function rawListOp(
  name: string,
  overload: string,
  names: readonly string[],
): (...args: readonly unknown[]) => readonly TensorHandle[] {
  let id = -1;
  return (...args) => {
    if (id < 0) id = native.findOp(name, overload, names);
    return callNative(id, args) as readonly TensorHandle[];
  };
}
