import { ArgumentError } from '../internal/errors';
import { keep } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { clearState, copyRecord, type StateMap } from './state';
import type { Hyper, ParamState } from './types';

/** A copy of an optimizer's state and hyper-parameters. */
export interface OptimizerStateDict {
  /** The state of each parameter, flags included, in the order of the groups. */
  readonly state: readonly ParamState[];
  /** The hyper-parameters of each group. */
  readonly hypers: readonly Hyper[];
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
  };
}

/** Refuses a state dict of another number of groups or parameters. */
export function checkStateDict(
  where: string,
  { state, hypers }: OptimizerStateDict,
  groups: number,
  params: number,
): void {
  if (!Array.isArray(state) || !Array.isArray(hypers)) {
    throw new ArgumentError(`${where}: expected { state, hypers } as stateDict() gives it`);
  }
  if (hypers.length !== groups) {
    throw new ArgumentError(
      `${where}: got ${hypers.length} parameter groups for ${groups}; make the optimizer with the same groups`,
    );
  }
  if (state.length !== params) {
    throw new ArgumentError(
      `${where}: got the state of ${state.length} parameters for ${params}; make the optimizer with the same parameters`,
    );
  }
}

/** Replaces one parameter's state by a copy of `source`, on the parameter's device. */
export function loadParamState(p: Tensor, state: ParamState, source: ParamState): void {
  const copy = keep(copyRecord(source, (tensor) => tensor.to({ device: p.device, copy: true })));
  clearState(p, state);
  delete state.do_wd;
  delete state.force_train;
  Object.assign(state, copy);
}
