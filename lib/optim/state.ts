import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { zerosLike } from '../ops';
import type { DType } from '../tensor/dtype';
import { keep, refusePromise } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';
import type { ParamState } from './types';

/** The states of parameters, by the parameter. Reading one that isn't there makes it, as in Python's `defaultdict`. */
export class StateMap extends Map<Tensor, ParamState> {
  #changes = 0;

  /** Counts how often a state object came, went or was replaced. */
  get changes(): number {
    return this.#changes;
  }

  override get(p: Tensor): ParamState {
    const known = super.get(p);
    if (known !== undefined) return known;
    if (!(p instanceof Tensor))
      throw new ArgumentError(`state.get: expected a parameter, got ${inspect(p, { depth: 0 })}`);
    const state: ParamState = {};
    this.set(p, state);
    return state;
  }

  override set(p: Tensor, state: ParamState): this {
    this.#changes += 1;
    return super.set(p, state);
  }

  /** Forgets a parameter's state, flags included, and disposes of its tensors. */
  override delete(p: Tensor): boolean {
    this.#changes += 1;
    const old = super.get(p);
    if (old !== undefined) release(p, old, {});
    return super.delete(p);
  }

  /** Forgets all states, flags included, and disposes of their tensors. */
  override clear(): void {
    for (const p of [...this.keys()]) this.delete(p);
  }

  /** Takes all states out of another map. */
  takeFrom(other: StateMap): void {
    for (const [p, state] of other) this.set(p, { ...state });
    other.#forget();
  }

  #forget(): void {
    this.#changes += 1;
    super.clear();
  }
}

/** Gives the dtype of a parameter's state: an average of half precision would lose small gradients. */
export function stateDtype({ dtype }: Tensor): DType {
  return dtype === 'float16' || dtype === 'bfloat16' ? 'float32' : dtype;
}

/** Gives what a moving average of a parameter starts from. */
export function zeroState(p: Tensor): Tensor {
  return zerosLike(p, { dtype: stateDtype(p) });
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function tensorsIn(value: unknown, into = new Set<Tensor>()): Set<Tensor> {
  if (value instanceof Tensor) into.add(value);
  else if (Array.isArray(value)) for (const item of value) tensorsIn(item, into);
  else if (isPlain(value)) for (const item of Object.values(value)) tensorsIn(item, into);
  return into;
}

// Disposes of the tensors in `old` that the state no longer holds. A state may have held the parameter itself.
function release(p: Tensor, old: unknown, state: ParamState): void {
  const held = tensorsIn(state);
  const grad = p.isDisposed ? null : p.grad; // a model may go before its optimizer
  for (const tensor of tensorsIn(old)) {
    if (!held.has(tensor) && tensor !== p && tensor !== grad) tensor.dispose();
  }
}

/** Writes what a callback returned into the state: new tensors are kept, those they replace are disposed. */
export function mergePatch(p: Tensor, state: ParamState, returned: unknown): void {
  const patch = refusePromise('an optimizer callback', returned);
  if (!isPlain(patch)) return;
  for (const key in patch) {
    const next = patch[key];
    const old = state[key];
    if (next === old) continue;
    state[key] = next;
    if (typeof next === 'object') keep(next);
    if (typeof old === 'object') release(p, old, state);
  }
}

/** Empties a state but for its flags, and disposes of its tensors. */
export function clearState(p: Tensor, state: ParamState): void {
  const { do_wd: _, force_train: __, ...rest } = state;
  for (const key of Object.keys(rest)) Reflect.deleteProperty(state, key);
  release(p, rest, state);
}

/** Copies a state value with its lists and objects; each tensor in it is replaced by what `copy` makes of it. */
export function copyState(value: unknown, copy: (tensor: Tensor) => Tensor): unknown {
  if (value instanceof Tensor) return copy(value);
  if (Array.isArray(value)) return value.map((item: unknown) => copyState(item, copy));
  return isPlain(value) ? copyRecord(value, copy) : value;
}

/** Copies a whole state; see `copyState`. */
export function copyRecord(state: ParamState, copy: (tensor: Tensor) => Tensor): ParamState {
  return Object.fromEntries(
    Object.entries(state).map(([key, value]) => [key, copyState(value, copy)]),
  );
}
