// State that is stored as bfloat16. Callbacks compute with float32, and what they leave is rounded once, as by the kernels.
import { keep } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';
import type { ParamState } from './types';

// One number for the whole parameter, such as a norm, is no average.
const sameShape = (a: Tensor, b: Tensor): boolean =>
  a.shape.length === b.shape.length && a.shape.every((size, i) => size === b.shape[i]);

// Slow weights are no average of small numbers: they are the weights themselves.
function isAverage(key: string, value: unknown, p: Tensor, dtype: string): value is Tensor {
  return (
    value instanceof Tensor &&
    !value.isDisposed &&
    key !== 'slow_weights' &&
    value !== p &&
    value.dtype === dtype &&
    sameShape(value, p)
  );
}

/** Copies a state, with averages as float32: they belong to the innermost scope. */
export function widenedState(p: Tensor, state: ParamState): ParamState {
  return Object.fromEntries(
    Object.entries(state).map(([key, value]) => [
      key,
      isAverage(key, value, p, 'bfloat16') ? value.to({ dtype: 'float32' }) : value,
    ]),
  );
}

/** Makes a state what its widened copy has become, with averages as bfloat16. */
export function narrowState(p: Tensor, state: ParamState, wide: ParamState): void {
  for (const key of Object.keys(state)) if (!(key in wide)) Reflect.deleteProperty(state, key);
  const gone = new Set<Tensor>();
  for (const [key, value] of Object.entries(wide)) {
    const old = state[key];
    if (!isAverage(key, value, p, 'float32')) state[key] = value;
    else if (isAverage(key, old, p, 'bfloat16')) old.copy_(value);
    else state[key] = keep(value.to({ dtype: 'bfloat16' }));
    for (const each of [old, value]) if (each instanceof Tensor) gone.add(each);
  }
  // A state may hold the parameter itself, or its gradient.
  const held: readonly unknown[] = [...Object.values(state), p, p.grad];
  for (const each of gone) if (!held.includes(each)) each.dispose();
}
