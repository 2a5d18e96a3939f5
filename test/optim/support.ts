import { tensor, type TensorLike } from '../../lib/tensor/create';
import type { DType } from '../../lib/tensor/dtype';
import type { Tensor } from '../../lib/tensor/tensor';
import { slack } from '../support/tensors';

/** Reads a tensor, row-major. */
export const values = (t: Tensor): number[] => Array.from(t.data(), Number);

/** Makes a parameter with a gradient, as the article's test does. */
export function param(data: TensorLike, grad?: TensorLike, dtype: DType = 'float32'): Tensor {
  const p = tensor(data, { dtype });
  if (grad !== undefined) p.grad = tensor(grad, { dtype });
  return p;
}

/** Returns the largest difference of two lists, relative for numbers above 1; infinite when their lengths differ. */
export function difference(got: readonly number[], wanted: readonly number[]): number {
  if (got.length !== wanted.length) return Infinity;
  return Math.max(
    ...wanted.map((value, i) => Math.abs((got[i] ?? NaN) - value) / Math.max(1, Math.abs(value))),
    0,
  );
}

/** Expects numbers to be equal but for `tolerance`, relative to those above 1. */
export function expectClose(
  actual: Tensor | readonly number[] | number,
  expected: readonly number[] | number,
  tolerance = 1e-6,
): void {
  const got = typeof actual === 'number' ? [actual] : 'data' in actual ? values(actual) : actual;
  const wanted = typeof expected === 'number' ? [expected] : expected;
  if (!(difference(got, wanted) <= tolerance * slack)) expect(got).toEqual(wanted);
}
