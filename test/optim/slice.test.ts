import { ArgumentError } from '../../lib/internal/errors';
import { debias, evenMults, slice } from '../../lib/optim';
import { expectClose } from './support';

test("evenMults gives fastcore's values", () => {
  expectClose(evenMults(2, 8, 3), [2, 4, 8], 1e-15);
  expectClose(evenMults(2, 32, 5), [2, 4, 8, 16, 32], 1e-15);
  expect(evenMults(2, 8, 1)).toEqual([8]);
});

test('evenMults goes down, and through negative numbers', () => {
  expectClose(evenMults(8, 2, 3), [8, 4, 2], 1e-15);
  expectClose(evenMults(-2, -8, 3), [-2, -4, -8], 1e-15);
});

test('evenMults refuses a start of 0 and two signs', () => {
  expect(() => evenMults(0, 1, 3)).toThrow(ArgumentError);
  expect(() => evenMults(-1, 1, 3)).toThrow('evenMults: expected start and stop of one sign');
});

test('slice with one number has no start', () => {
  expect(slice(1e-3)).toEqual({ start: undefined, stop: 1e-3 });
  expect(slice(1e-5, 1e-3)).toEqual({ start: 1e-5, stop: 1e-3 });
});

test('slice refuses what is no number', () => {
  expect(() => slice(1, '2' as unknown as number)).toThrow(
    "slice: expected slice(stop) or slice(start, stop) of numbers, got '2'",
  );
  expect(() => slice(NaN)).toThrow(ArgumentError);
});

test('debias with dampening is one minus the power', () => {
  expectClose(debias(0.9, 1 - 0.9, 1), 0.1, 1e-15);
  expectClose(debias(0.99, 1 - 0.99, 2), 1 - 0.99 ** 2, 1e-15);
});

test('debias without dampening is the sum of the powers', () => {
  expectClose(debias(0.5, 1, 3), 1 + 0.5 + 0.25, 1e-15);
});
