import { inspect } from 'node:util';
import type { Batch, DataLoaders, Loader } from '../data/types';
import { ArgumentError } from '../internal/errors';
import { Tensor } from '../tensor/tensor';

function tensorsOf(value: unknown): Tensor[] | undefined {
  if (value === undefined) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.every((each) => each instanceof Tensor) ? list : undefined;
}

/** Takes a batch apart into inputs and targets. */
export function readBatch(batch: Batch): [xb: Tensor[], yb: Tensor[]] {
  const parts: unknown = batch;
  const [x, y] =
    Array.isArray(parts) && parts.length <= 2 ? [tensorsOf(parts[0]), tensorsOf(parts[1])] : [];
  if (!x || !y || x.length === 0) {
    throw new ArgumentError(
      `Learner: expected batches [x, y] of tensors, got ${inspect(batch, { depth: 1 })}`,
    );
  }
  return [x, y];
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

/** Passes on `{ train, valid }`; `valid` may be missing. */
export function checkLoaders(dls: DataLoaders): DataLoaders {
  const { train, valid }: Partial<DataLoaders> = dls;
  checkLoader('Learner: dls.train', train);
  if (valid !== undefined) checkLoader('Learner: dls.valid', valid);
  return dls;
}
