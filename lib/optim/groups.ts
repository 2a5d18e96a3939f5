import { ArgumentError } from '../internal/errors';
import { Tensor } from '../tensor/tensor';
import type { DeclaredCallback } from './callback';
import { checkHyperName, spreadHyper } from './hypers';
import { toParamLists } from './params';
import type { Callback, Hyper } from './types';

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
