import { inspect } from 'node:util';
import { checkLoader, type Batch, type DataLoaders } from '../data/types';
import { checkRecord } from '../internal/check';
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

/** Passes on `{ train, valid }`; `valid` may be missing. */
export function checkLoaders(dls: DataLoaders): DataLoaders {
  checkRecord('Learner', 'data loaders { train, valid }', dls);
  const { train, valid }: Partial<DataLoaders> = dls;
  checkLoader('Learner: dls.train', train);
  if (valid !== undefined) checkLoader('Learner: dls.valid', valid);
  return dls;
}
