import { inspect } from 'node:util';
import { checkFunction, checkNumbers, isNumber } from '../internal/check';
import { ArgumentError } from '../internal/errors';

/** A value, or one for each parameter group. */
export type ScheduleValue = number | readonly number[];

/** Gives a value at each position from 0 to 1. */
export type Schedule = (position: number) => ScheduleValue;

type Curve = (start: number, end: number, position: number) => number;

/** Goes from `start` to `end` in a straight line: `start + position * (end - start)`. Source: fastai's `sched_lin`. */
export function schedLin(start: number, end: number, position: number): number {
  return start + position * (end - start);
}

/** Goes from `start` to `end` along half a cosine, flat at both ends. Source: fastai's `sched_cos`. */
export function schedCos(start: number, end: number, position: number): number {
  return start + ((1 + Math.cos(Math.PI * (1 - position))) * (end - start)) / 2;
}

/** Stays at `start`. Source: fastai's `sched_no`. */
export function schedNo(start: number, _end: number, _position: number): number {
  return start;
}

/** Goes from `start` to `end` by even multiples: `start * (end / start) ** position`. Source: fastai's `sched_exp`. */
export function schedExp(start: number, end: number, position: number): number {
  return start * (end / start) ** position;
}

/** Goes from `start` to `end` by a power: `start + (end - start) * position ** power`. Source: fastai's `SchedPoly`. */
export function schedPoly(start: number, end: number, power: number, position: number): number {
  return start + (end - start) * position ** power;
}

function toList(where: string, value: ScheduleValue): readonly number[] {
  const list: unknown = typeof value === 'number' ? [value] : value;
  const isNumbers = (given: unknown): given is readonly number[] =>
    Array.isArray(given) && given.every(isNumber);
  if (isNumbers(list)) return list;
  throw new ArgumentError(
    `${where}: expected a number, or one for each parameter group, got ${inspect(value, { depth: 1 })}`,
  );
}

// One curve for each group; numbers stay numbers.
function schedule(where: string, start: ScheduleValue, end: ScheduleValue, curve: Curve): Schedule {
  if (typeof start === 'number' && typeof end === 'number')
    return (position) => curve(start, end, position);
  const [starts, ends] = [toList(where, start), toList(where, end)];
  const count = Math.max(starts.length, ends.length);
  const at = (values: readonly number[], i: number): number => {
    const value = values.length === 1 ? values[0] : values[i];
    if (value !== undefined && (values.length === 1 || values.length === count)) return value;
    throw new ArgumentError(
      `${where}: expected as many starts as ends, got ${starts.length} and ${ends.length}`,
    );
  };
  const pairs = Array.from({ length: count }, (_, i): [number, number] => [
    at(starts, i),
    at(ends, i),
  ]);
  return (position) => pairs.map(([from, to]) => curve(from, to, position));
}

/**
 * Makes a schedule in a straight line.
 *
 * @param start a number, or one for each parameter group.
 * @example
 * ```ts
 * SchedLin(0, 10)(0.25); // 2.5
 * ```
 */
export function SchedLin(start: ScheduleValue, end: ScheduleValue): Schedule {
  return schedule('SchedLin', start, end, schedLin);
}

/** Makes a schedule along half a cosine. */
export function SchedCos(start: ScheduleValue, end: ScheduleValue): Schedule {
  return schedule('SchedCos', start, end, schedCos);
}

/** Makes a schedule that stays at `start`. */
export function SchedNo(start: ScheduleValue, end: ScheduleValue): Schedule {
  return schedule('SchedNo', start, end, schedNo);
}

/** Makes a schedule by even multiples; no value may be 0. */
export function SchedExp(start: ScheduleValue, end: ScheduleValue): Schedule {
  return schedule('SchedExp', start, end, schedExp);
}

/** Makes a schedule by a power of the position. */
export function SchedPoly(start: ScheduleValue, end: ScheduleValue, power: number): Schedule {
  return schedule('SchedPoly', start, end, (from, to, position) =>
    schedPoly(from, to, power, position),
  );
}

/**
 * Joins schedules: each takes its share of the way from 0 to 1. Shares and positions are float32, as in fastai, so that
 * the values are the same.
 *
 * Source: fastai's `combine_scheds`.
 * @param shares positive numbers with a sum of 1, as many as schedules.
 * @throws ArgumentError when they are not that.
 * @example
 * ```ts
 * const f = combineScheds([0.3, 0.7], [SchedCos(0, 1), SchedCos(1, 0)]);
 * ```
 */
export function combineScheds(shares: readonly number[], scheds: readonly Schedule[]): Schedule {
  for (const sched of Array.isArray(scheds) ? scheds : [scheds])
    checkFunction('combineScheds', sched);
  toList('combineScheds', shares);
  const sum = shares.reduce((total, share) => total + share, 0);
  if (
    shares.length === 0 ||
    shares.length !== scheds.length ||
    !(Math.abs(sum - 1) < 1e-6) ||
    shares.some((share) => share < 0)
  ) {
    throw new ArgumentError(
      `combineScheds: expected one share for each of ${scheds.length} schedules, with a sum of 1, got ${inspect(shares)}`,
    );
  }
  const bounds = [0];
  for (const share of shares) bounds.push(Math.fround((bounds.at(-1) ?? 0) + Math.fround(share)));
  return (position) => {
    const at = Math.fround(position);
    const last = bounds.findLastIndex((bound) => at >= bound);
    const index = Math.min(Math.max(last, 0), scheds.length - 1);
    const [from = 0, to = 1] = bounds.slice(index, index + 2);
    const within = Math.fround(Math.fround(at - from) / Math.fround(to - from));
    return scheds[index]?.(within) ?? NaN;
  };
}

/** Goes from `start` to `middle` in the first `share` of the way, then to `end`, both along cosines. Source: fastai's `combined_cos`. */
export function combinedCos(
  share: number,
  start: ScheduleValue,
  middle: ScheduleValue,
  end: ScheduleValue,
): Schedule {
  checkNumbers('combinedCos', { share });
  return combineScheds([share, 1 - share], [SchedCos(start, middle), SchedCos(middle, end)]);
}
