import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import type { Tensor } from '../tensor/tensor';

/** One batch: inputs and targets, each a tensor or several; without targets there is no loss. */
export type Batch = readonly [x: Tensor | readonly Tensor[], y?: Tensor | readonly Tensor[]];

/** Gives the batches of one epoch each time it is iterated, and knows how many those are. */
export type Loader = (Iterable<Batch> | AsyncIterable<Batch>) & { readonly length: number };

/** What a learner trains on, and what it measures itself on, if anything. */
export interface DataLoaders {
  readonly train: Loader;
  readonly valid?: Loader;
}

function isLoader(value: unknown): value is Loader {
  if (typeof value !== 'object' || value === null || !('length' in value)) return false;
  return (
    Number.isSafeInteger(value.length) &&
    (Symbol.iterator in value || Symbol.asyncIterator in value)
  );
}

/** Passes on something that can be iterated batch by batch, and has a length. */
export function checkLoader(where: string, value: unknown): Loader {
  if (isLoader(value)) return value;
  throw new ArgumentError(
    `${where}: expected an iterable of batches [x, y] with a length, got ${inspect(value, { depth: 0 })}; a DataLoader is one, an array of batches too`,
  );
}
