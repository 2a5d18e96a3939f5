import type { Tensor } from '../../lib/tensor/tensor';
import { testDevice } from './cuda';

/** The numbers of a tensor, row-major. */
export function numbers(tensor: Tensor): number[] {
  return Array.from(tensor.data(), Number);
}

/** How much further apart results may be on the device of the tests: a GPU adds up in another order. */
export const slack = testDevice === 'cpu' ? 1 : 10;

/** Asserts that a tensor holds `expected` within `relative` of the larger magnitude (at least 1). */
export function expectClose(tensor: Tensor, expected: readonly number[], relative = 1e-6): void {
  const actual = numbers(tensor);
  expect(actual).toHaveLength(expected.length);
  const worst = actual.reduce((most, value, i) => {
    const wanted = expected[i] ?? NaN;
    if (Object.is(value, wanted) || (Number.isNaN(value) && Number.isNaN(wanted))) return most;
    return Math.max(most, Math.abs(value - wanted) / Math.max(1, Math.abs(wanted)));
  }, 0);
  if (!(worst <= relative * slack))
    throw new Error(
      `expected ${expected.join(', ')}\n     got ${actual.join(', ')}\n     off by ${worst}`,
    );
}

/** Returns what `body` throws. */
export function thrown(body: () => unknown): {
  name: string;
  code: string;
  message: string;
  op?: string;
  received?: string;
  cause?: Error;
} {
  try {
    body();
  } catch (error) {
    return error as ReturnType<typeof thrown>;
  }
  throw new Error('expected an error, and nothing was thrown');
}
