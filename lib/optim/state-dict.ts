import { inspect } from 'node:util';
import { checkNumbers, isRecord } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { keep } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';
import { averageKeys, storedDtype, type StateStorage } from './narrow-state';
import { clearState, copyRecord, copyState, type StateMap } from './state';
import type { Hyper, ParamState } from './types';

/** A copy of an optimizer's state and hyper-parameters. */
export interface OptimizerStateDict {
  /** The state of each parameter, flags included, in the order of the groups. */
  readonly state: readonly ParamState[];
  /** The hyper-parameters of each group. */
  readonly hypers: readonly Hyper[];
  /** The shape of each parameter that the states are of; `stateDict()` always gives it. */
  readonly shapes?: readonly (readonly number[])[];
}

/** Copies state and hypers; the tensors belong to the innermost scope. */
export function copyStateDict(
  params: readonly Tensor[],
  states: StateMap,
  hypers: readonly Hyper[],
): OptimizerStateDict {
  return {
    state: params.map((p) => copyRecord(states.get(p), (tensor) => tensor.clone())),
    hypers: hypers.map((hyper) => ({ ...hyper })),
    shapes: params.map((p) => p.shape),
  };
}

function show(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

// The shapes of parameter `i` that a state dict tells of: its own record, and those of its averages.
function shapesOf({ state, shapes }: OptimizerStateDict, i: number): [string, readonly number[]][] {
  const known = shapes?.[i];
  return [
    ...(known === undefined ? [] : [['a parameter', known] satisfies [string, readonly number[]]]),
    ...averageKeys.flatMap((key): [string, readonly number[]][] => {
      const value = state[i]?.[key];
      return value instanceof Tensor ? [[key, value.shape]] : [];
    }),
  ];
}

function isRecords(value: unknown): value is readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) && value.every(isRecord);
}

/** Refuses a state dict of another number of groups or parameters, of parameters of other shapes, and values of other types. */
export function checkStateDict(
  where: string,
  dict: OptimizerStateDict,
  groups: number,
  params: readonly Tensor[],
): void {
  const { state, hypers, shapes }: Partial<OptimizerStateDict> = isRecord(dict) ? dict : {};
  if (!isRecords(state) || !isRecords(hypers)) {
    throw new ArgumentError(
      `${where}: expected { state, hypers } as stateDict() gives it, got ${inspect(dict, { depth: 1 })}`,
    );
  }
  if (hypers.length !== groups) {
    throw new ArgumentError(
      `${where}: got ${hypers.length} parameter groups for ${groups}; make the optimizer with the same groups`,
    );
  }
  if (state.length !== params.length) {
    throw new ArgumentError(
      `${where}: got the state of ${state.length} parameters for ${params.length}; make the optimizer with the same parameters`,
    );
  }
  if (shapes !== undefined && (!Array.isArray(shapes) || shapes.length !== params.length)) {
    throw new ArgumentError(
      `${where}: expected the shapes of ${params.length} parameters, got ${inspect(shapes, { depth: 0 })}`,
    );
  }
  for (const [i, hyper] of hypers.entries()) checkNumbers(`${where}: group ${i}`, hyper);
  for (const [i, p] of params.entries()) {
    for (const key of averageKeys) {
      const value = state[i]?.[key];
      if (value === undefined || value instanceof Tensor) continue;
      throw new ArgumentError(
        `${where}: expected the ${key} of parameter ${i} to be a tensor, got ${inspect(value, { depth: 0 })}`,
      );
    }
    for (const [what, shape] of shapesOf(dict, i)) {
      if (show(shape) === show(p.shape)) continue;
      throw new ArgumentError(
        `${where}: got ${what} of shape ${show(shape)} for parameter ${i}, which has ${show(p.shape)}; make the optimizer with the same parameters in the same order`,
      );
    }
  }
}

/** Replaces one parameter's state by a copy of `source`, on the parameter's device, with averages as they are stored here. */
export function loadParamState(
  p: Tensor,
  state: ParamState,
  source: ParamState,
  storage: StateStorage,
): void {
  const { device } = p;
  const copies = Object.entries(source).map(([key, value]) => {
    const dtype = storedDtype(key, value, p, storage);
    const options = { device, copy: true, ...(dtype && { dtype }) };
    return [key, copyState(value, (tensor) => tensor.to(options))] as const;
  });
  const copy = keep(Object.fromEntries(copies));
  clearState(p, state);
  delete state.do_wd;
  delete state.force_train;
  Object.assign(state, copy);
}
