// How averages are stored: as bfloat16 where it is asked for. Callbacks compute with float32, and what they leave is rounded
// once, as by the kernels.
import type { DType } from '../tensor/dtype';
import { keep } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';
import type { StateDtype } from './options';
import { stateDtype } from './state';
import type { ParamState } from './types';

/** The states that are averages in every optimizer that has them. */
export const averageKeys: readonly string[] = ['grad_avg', 'sqr_avg'];

/** How an optimizer stores its averages. */
export interface StateStorage {
  readonly dtype: StateDtype;
  /** The states that are one number for a whole parameter, such as a norm: they are no averages, whatever their shape. */
  readonly numbers: ReadonlySet<string>;
}

const sameShape = (a: Tensor, b: Tensor): boolean =>
  a.shape.length === b.shape.length && a.shape.every((size, i) => size === b.shape[i]);

// Slow weights are no average of small numbers: they are the weights themselves.
const isExact = (key: string, { numbers }: StateStorage): boolean =>
  key === 'slow_weights' || numbers.has(key);

function isAverage(
  key: string,
  value: unknown,
  p: Tensor,
  dtype: DType,
  storage: StateStorage,
): value is Tensor {
  return (
    value instanceof Tensor &&
    !value.isDisposed &&
    !isExact(key, storage) &&
    value !== p &&
    value.dtype === dtype &&
    sameShape(value, p)
  );
}

/** Copies a state, with averages as float32: they belong to the innermost scope. */
export function widenedState(p: Tensor, state: ParamState, storage: StateStorage): ParamState {
  return Object.fromEntries(
    Object.entries(state).map(([key, value]) => [
      key,
      isAverage(key, value, p, 'bfloat16', storage) ? value.to({ dtype: 'float32' }) : value,
    ]),
  );
}

/** Makes a state what its widened copy has become, with averages as bfloat16. */
export function narrowState(
  p: Tensor,
  state: ParamState,
  wide: ParamState,
  storage: StateStorage,
): void {
  for (const key of Object.keys(state)) if (!(key in wide)) Reflect.deleteProperty(state, key);
  const gone = new Set<Tensor>();
  for (const [key, value] of Object.entries(wide)) {
    const old = state[key];
    if (!isAverage(key, value, p, 'float32', storage)) state[key] = value;
    else if (isAverage(key, old, p, 'bfloat16', storage)) old.copy_(value);
    else state[key] = keep(value.to({ dtype: 'bfloat16' }));
    for (const each of [old, value]) if (each instanceof Tensor) gone.add(each);
  }
  // A state may hold the parameter itself, or its gradient.
  const held: readonly unknown[] = [...Object.values(state), p, p.grad];
  for (const each of gone) if (!held.includes(each)) each.dispose();
}

/** Gives the dtype that an optimizer stores a state as; undefined for what it takes as it is. */
export function storedDtype(
  key: string,
  value: unknown,
  p: Tensor,
  storage: StateStorage,
): DType | undefined {
  const isReal = ({ dtype }: Tensor): boolean => dtype.includes('float');
  if (!(value instanceof Tensor) || !isReal(value) || !isReal(p)) return undefined;
  if (isExact(key, storage)) return stateDtype(p);
  // What a callback of the user's own keeps in float64 stays so.
  if (!sameShape(value, p) || (value.dtype === 'float64' && !averageKeys.includes(key)))
    return undefined;
  return storage.dtype === 'bfloat16' ? 'bfloat16' : stateDtype(p);
}
