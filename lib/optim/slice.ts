import { inspect } from 'node:util';
import { checkNumbers } from '../internal/check';
import { ArgumentError } from '../internal/errors';

/** A range of values over the parameter groups; made by `slice`. */
export class Slice {
  /** The value of the first group; where there is none, all groups but the last get `stop / 10`. */
  readonly start: number | undefined;
  /** The value of the last group. */
  readonly stop: number;

  /** @internal */
  constructor(start: number | undefined, stop: number) {
    this.start = start;
    this.stop = stop;
    Object.freeze(this);
  }
}

/**
 * Spreads a hyper-parameter over the parameter groups: `slice(start, stop)` in even multiples from the first to the last,
 * `slice(stop)` as `stop` for the last and `stop / 10` for the others. A `start` of 0 counts as none.
 *
 * Source: Python's `slice`, as fastai reads it.
 * @throws ArgumentError when an end is not a number.
 * @example
 * ```ts
 * opt.setHyper('lr', slice(1e-5, 1e-3)); // three groups: 1e-5, 1e-4, 1e-3
 * opt.setHyper('lr', slice(1e-3)); //                    1e-4, 1e-4, 1e-3
 * ```
 */
export function slice(stop: number): Slice;
export function slice(start: number | undefined, stop: number): Slice;
export function slice(...ends: [number] | [number | undefined, number]): Slice {
  const [start, stop] = ends.length === 1 ? [undefined, ends[0]] : ends;
  for (const end of [start ?? 0, stop]) {
    if (typeof end !== 'number' || Number.isNaN(end)) {
      throw new ArgumentError(
        `slice: expected slice(stop) or slice(start, stop) of numbers, got ${inspect(end)}`,
      );
    }
  }
  return new Slice(start, stop);
}

/**
 * Returns `count` numbers from `start` to `stop`, each the same multiple of the one before; only `stop` for a count of 1.
 *
 * Source: fastcore's `even_mults`.
 * @throws ArgumentError when `start` is 0 or the signs differ.
 * @example
 * ```ts
 * evenMults(2, 8, 3); // [2, 4, 8]
 * ```
 */
export function evenMults(start: number, stop: number, count: number): number[] {
  checkNumbers('evenMults', { start, stop, count });
  if (count === 1) return [stop];
  const ratio = stop / start;
  if (!(ratio >= 0 && ratio < Infinity)) {
    throw new ArgumentError(
      `evenMults: expected start and stop of one sign, start not 0, got ${start} and ${stop}`,
    );
  }
  const step = ratio ** (1 / (count - 1));
  return Array.from({ length: count }, (_, i) => start * step ** i);
}
