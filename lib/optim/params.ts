import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { Tensor } from '../tensor/tensor';
import { isIterable } from './iterable';

/** What an optimizer trains: a tensor, tensors in one group, or groups of tensors; generators are read once. */
export type Params = Tensor | Iterable<Tensor> | Iterable<Iterable<Tensor>>;

function checkParameter(value: unknown, group: number, known: Map<Tensor, number>): Tensor {
  if (!(value instanceof Tensor)) {
    throw new ArgumentError(
      `Optimizer: expected tensors in group ${group}, got ${inspect(value, { depth: 0 })}`,
    );
  }
  if (!value.isLeaf) {
    const name = value.gradFn?.name ?? 'an operator';
    throw new ArgumentError(
      `Optimizer: expected leaves in group ${group}, got a result of ${name}; pass what it was made of`,
    );
  }
  const before = known.get(value);
  if (before !== undefined) {
    throw new ArgumentError(
      `Optimizer: expected each parameter once, got one in group ${before} and in group ${group}`,
    );
  }
  known.set(value, group);
  return value;
}

/** Reads an iterable into a list; a tensor is none. */
function readList(where: string, value: unknown): unknown[] {
  if (isIterable(value)) return [...value];
  throw new ArgumentError(`Optimizer: expected ${where}, got ${inspect(value, { depth: 0 })}`);
}

/**
 * Reads parameters into groups. The first item decides, as in fastai: when it is a tensor, all are one group; otherwise
 * each item is a group.
 *
 * @throws ArgumentError when there is no parameter, when one comes twice, and for what is no leaf tensor.
 */
export function toParamLists(params: Params | Iterable<Tensor | Iterable<Tensor>>): Tensor[][] {
  const items = params instanceof Tensor ? [params] : readList('parameters or groups', params);
  const groups = isIterable(items[0]) ? items : [items];
  const known = new Map<Tensor, number>();
  const lists = groups.map((group, index) =>
    readList('groups, as the first item is one', group).map((p) => checkParameter(p, index, known)),
  );
  if (known.size > 0) return lists;
  throw new ArgumentError(
    'Optimizer: expected at least one parameter, got none; a generator can be read only once',
  );
}
