import { checkNumbers } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { Tensor } from '../tensor/tensor';
import type { DeclaredCallback } from './callback';
import { checkHyperName, spreadHyper } from './hypers';
import { toParamLists } from './params';
import type { Callback, Hyper, ParamState } from './types';

/** Groups from `start` up to but without `stop`, counted from the end where negative; `slice(1, 3)` is one. */
export interface GroupRange {
  readonly start?: number | undefined;
  readonly stop?: number | undefined;
}

/** The options of `Optimizer.allParams`. */
export interface AllParamsOptions {
  /** Leaves out parameters without a gradient. */
  readonly withGrad?: boolean;
}

/** A parameter, the group that it is in, its state, and the hyper-parameters of its group. */
export type ParamEntry = [p: Tensor, pg: readonly Tensor[], state: ParamState, hyper: Hyper];

/** Reads the parameters of one more group; none of them may be in `groups` already. */
export function newGroup(
  params: Tensor | Iterable<Tensor>,
  groups: readonly (readonly Tensor[])[],
): readonly Tensor[] {
  const added = params instanceof Tensor ? [params] : params;
  const group = toParamLists([...groups, added]).at(-1);
  if (group !== undefined && group.length > 0) return group;
  throw new ArgumentError('addParamGroup: expected at least one parameter, got none');
}

/** Makes the hyper-parameters of one more group from those given and the last group's. */
export function newHyper(
  given: Readonly<Record<string, number>>,
  last: Hyper | undefined,
  cbs: readonly (Callback | DeclaredCallback)[],
): Hyper {
  const hyper = { ...last };
  for (const [name, value] of Object.entries(given)) {
    checkHyperName('addParamGroup', name, cbs);
    hyper[name] = spreadHyper(name, value, 1)[0] ?? NaN;
  }
  return hyper;
}

/** Picks one group by its number, or those of a range. */
export function pickGroups<T>(groups: readonly T[], which: number | GroupRange): readonly T[] {
  if (typeof which !== 'number') {
    checkOptions('allParams', which, ['start', 'stop']);
    checkNumbers('allParams', { ...which });
    return groups.slice(which.start, which.stop);
  }
  const one = groups.at(which);
  if (one !== undefined && Number.isInteger(which)) return [one];
  throw new ArgumentError(
    `allParams: expected a group from ${-groups.length} to ${groups.length - 1}, got ${which}`,
  );
}
