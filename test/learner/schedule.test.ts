import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  combinedCos,
  combineScheds,
  schedCos,
  SchedCos,
  schedExp,
  SchedExp,
  schedLin,
  SchedLin,
  schedNo,
  SchedNo,
  schedPoly,
  SchedPoly,
} from '../../lib/index';
import { thrown } from '../support/tensors';

// What PyTorch's float32 tensors give; learner.py beside it says how.
const golden = JSON.parse(readFileSync(join(__dirname, '../golden/learner.json'), 'utf8')) as {
  thirds: number[];
};

test('the curves go from start to end', () => {
  for (const curve of [schedLin, schedCos, schedExp]) {
    expect(curve(2, 8, 0)).toBe(2);
    expect(curve(2, 8, 1)).toBe(8);
  }
  expect(schedLin(2, 8, 0.25)).toBe(3.5);
  expect(schedCos(2, 8, 0.5)).toBeCloseTo(5, 12);
  expect(schedCos(2, 8, 0.25)).toBeCloseTo(2 + 3 * (1 - Math.SQRT1_2), 12);
  expect(schedExp(2, 8, 0.5)).toBe(4);
  expect(schedNo(2, 8, 0.9)).toBe(2);
  expect(schedPoly(2, 8, 2, 0.5)).toBe(3.5);
});

test('the makers give the same curves, for numbers and for groups', () => {
  expect(SchedLin(2, 8)(0.25)).toBe(3.5);
  expect(SchedCos(2, 8)(0.3)).toBe(schedCos(2, 8, 0.3));
  expect(SchedExp([1, 2], [100, 8])(0.5)).toEqual([10, 4]);
  expect(SchedNo([1, 2], 0)(0.5)).toEqual([1, 2]);
  expect(SchedPoly(2, [8, 14], 2)(0.5)).toEqual([3.5, 5]);
  expect(thrown(() => SchedLin([1, 2], [1, 2, 3])).message).toBe(
    'SchedLin: expected as many starts as ends, got 2 and 3',
  );
});

test('combined schedules take their positions in float32', () => {
  const f = combineScheds(
    [1 / 3, 1 / 3, 1 / 3],
    [SchedCos(0, 1), SchedCos(1, -2), SchedCos(-2, 5)],
  );
  // Float64 positions would be off by 1e-7; V8's cosine is off by the last bit.
  golden.thirds.forEach((value, i) => expect(f(i / 50)).toBeCloseTo(value, 14));
});

test('combined schedules reach their end', () => {
  const f = combinedCos(0.25, 0.5, 1, 0);
  expect([f(0), f(0.25), f(1)]).toEqual([0.5, 1, 0]);
});

test('shares that do not fit are refused', () => {
  for (const shares of [[], [0.5], [0.5, 0.6], [1.5, -0.5]]) {
    expect(thrown(() => combineScheds(shares, [SchedNo(1, 1), SchedNo(2, 2)])).message).toMatch(
      /^combineScheds: expected one share for each of 2 schedules, with a sum of 1, got \[/,
    );
  }
});
