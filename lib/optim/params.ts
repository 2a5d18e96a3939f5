import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { Tensor } from '../tensor/tensor';

/** What an optimizer trains: a tensor, tensors in one group, or groups of tensors; generators are read once. */
export type Params = Tensor | Iterable<Tensor> | Iterable<Iterable<Tensor>>;

/** Tells whether a value can be read as a list; a string is none, and neither is a tensor. */
function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Tensor) && Symbol.iterator in value;
}

function checkParameter(value: unknown, group: number, known: Map<Tensor, number>): Tensor {
  if (!(value instanceof Tensor)) {
    throw new ArgumentError(`Optimizer: expected tensors in group ${group}, got ${inspect(value, { depth: 0 })}`);
  }
  if (!value.isLeaf) {
    const name = value.gradFn?.name ?? 'an operator';
    throw new ArgumentError(`Optimizer: expected leaves in group ${group}, got a result of ${name}; pass what it was made of`);
  }
  const before = known.get(value);
  if (before !== undefined) {
    throw new ArgumentError(`Optimizer: expected each parameter once, got one in group ${before} and in group ${group}`);
  }
  known.set(value, group);
  return value;
}

/**
 * Reads parameters into groups. The first item decides, as in fastai: when it is a tensor, all are one group; otherwise
 * each item is a group.
 *
 * @throws ArgumentError when there is no parameter, when one comes twice, and for what is no leaf tensor.
 */
export function toParamLists(params: Params): Tensor[][] {
  const items: unknown = params instanceof Tensor ? [params] : params;
  if (!isIterable(items)) {
    throw new ArgumentError(`Optimizer: expected a tensor, tensors or groups of tensors, got ${inspect(items, { depth: 0 })}`);
  }
  const known = new Map<Tensor, number>();
  const lists: Tensor[][] = [];
  let grouped: boolean | undefined;
  for (const item of items) {
    grouped ??= isIterable(item);
    if (!grouped) (lists[0] ??= []).push(checkParameter(item, 0, known));
    else if (isIterable(item)) lists.push(Array.from(item, (p) => checkParameter(p, lists.length, known)));
    else throw new ArgumentError(`Optimizer: expected groups of tensors, as the first item is one, got ${inspect(item, { depth: 0 })}`);
  }
  if (known.size === 0) throw new ArgumentError('Optimizer: expected at least one parameter, got none; a generator can be read only once');
  return lists;
}
