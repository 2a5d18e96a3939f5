import { ArgumentError } from '../internal/errors';
import { inspect } from 'node:util';
import type { Module } from '../nn/module';
import { checkModule } from './params';
import type { Parameter } from '../tensor/parameter';

/** What `splitByChild` and `splitByName` give: makes groups of a model's parameters, each of them once. */
export type GroupSplitter = (model: Module) => Parameter[][];

function checkGroups(where: string, groups: readonly (readonly unknown[])[]): void {
  const empty = groups.findIndex((group) => group.length === 0);
  if (empty < 0) return;
  throw new ArgumentError(
    `${where}: expected parameters that need a gradient in each of ${groups.length} groups, got none in group ${empty}`,
  );
}

/**
 * Makes a splitter that cuts a model between its children: `splitByChild(4, 6)` puts the children before the fourth in one
 * group, those before the sixth in the next, and the rest, with the model's own parameters, in the last. Without
 * arguments each child that has parameters is a group. A parameter that modules share goes with the first of them.
 *
 * @param cuts positions among the children, growing; counted from the end where negative.
 * @returns a `splitter` for `Learner`; it gives the parameters that need a gradient.
 * @throws ArgumentError, when it splits, for cuts that the model hasn't, and for a group without parameters.
 * @example
 * ```ts
 * const learn = new Learner(dls, models.xresnet34(), { lossFunc, splitter: splitByChild(4, -1) });
 * ```
 */
export function splitByChild(...cuts: number[]): GroupSplitter {
  if (!cuts.every((cut) => Number.isSafeInteger(cut))) {
    throw new ArgumentError(`splitByChild: expected whole numbers, got ${inspect(cuts)}`);
  }
  return (model) => {
    checkModule('splitByChild', model);
    const children = model.namedChildren().map(([, child]) => child);
    const count = children.length;
    const starts = cuts.map((cut) => (cut < 0 ? count + cut : cut));
    if (
      starts.some(
        (start, i) => !Number.isInteger(start) || start <= (starts[i - 1] ?? 0) || start >= count,
      )
    ) {
      throw new ArgumentError(
        `splitByChild: expected growing positions from 1 to ${count - 1}, as there are ${count} children, got ${inspect(cuts)}`,
      );
    }
    const groupOf = (index: number): number =>
      cuts.length === 0 ? index : starts.filter((start) => start <= index).length;
    const last = cuts.length === 0 ? count : cuts.length;
    const groups = split(model, last + 1, (name) => {
      const child = model.namedChildren().findIndex(([each]) => name.startsWith(`${each}.`));
      return child < 0 ? last : groupOf(child);
    });
    if (cuts.length === 0) return groups.filter((group) => group.length > 0);
    checkGroups('splitByChild', groups);
    return groups;
  };
}

/**
 * Makes a splitter by the dotted names of parameters: each argument names the beginnings of one group, and what no argument
 * matches is the first group. The longest beginning wins; a name matches whole parts only (`4` is no beginning of `40.weight`).
 *
 * @param groups one beginning, or several, for each group after the first.
 * @returns a `splitter` for `Learner`; it gives the parameters that need a gradient.
 * @throws ArgumentError, when it splits, for a group without parameters.
 * @example
 * ```ts
 * const splitter = splitByName(['4', '5'], 'head'); // three groups: the rest, the layers 4 and 5, the head
 * ```
 */
export function splitByName(...groups: (string | readonly string[])[]): GroupSplitter {
  const beginnings = groups.flatMap((names, i) =>
    [names].flat().map((name): [string, number] => [name, i + 1]),
  );
  if (!beginnings.every(([name]) => typeof name === 'string')) {
    throw new ArgumentError(`splitByName: expected names of parameters, got ${inspect(groups)}`);
  }
  return (model) => {
    checkModule('splitByName', model);
    const found = split(model, groups.length + 1, (name) => {
      const matching = beginnings.filter(([each]) => name === each || name.startsWith(`${each}.`));
      const [longest] = matching.sort(([a], [b]) => b.length - a.length);
      return longest?.[1] ?? 0;
    });
    const [rest = [], ...named] = found;
    checkGroups('splitByName', named);
    return rest.length === 0 ? named : [rest, ...named];
  };
}

function split(model: Module, count: number, groupOf: (name: string) => number): Parameter[][] {
  const groups: Parameter[][] = Array.from({ length: count }, () => []);
  for (const [name, p] of model.namedParameters()) {
    if (p.requiresGrad) groups[groupOf(name)]?.push(p);
  }
  return groups;
}
