import { clipGradNorm, clipGradValue, gradNorm, SGD } from '../../lib/optim';
import { tensor } from '../../lib/tensor/create';
import { expectClose, param } from './support';

const pair = () => [param([0, 0], [3, 0]), param([0], [4]), param([7])];

test('clipGradNorm scales all gradients by maxNorm over their common norm, as PyTorch does', () => {
  const params = pair();
  expect(clipGradNorm(params, 1)).toBe(5);
  const scale = 1 / (5 + 1e-6);
  expectClose(params[0]!.grad!, [3 * scale, 0]);
  expectClose(params[1]!.grad!, [4 * scale]);
  expect(params[2]!.grad).toBeNull();
});

test('clipGradNorm leaves gradients below the limit as they are', () => {
  const params = pair();
  expect(clipGradNorm(params, 10)).toBe(5);
  expect(params[1]!.grad!.toArray()).toEqual([4]);
});

test.each([
  [1, 7],
  [3, 91 ** (1 / 3)],
  [Infinity, 4],
])('clipGradNorm takes the norm of order %p', (normType, norm) => {
  const params = pair();
  expectClose(clipGradNorm(params, 1, { normType }), norm);
  expectClose(params[0]!.grad!, [3 / (norm + 1e-6), 0]);
});

test('clipGradNorm takes an optimizer, and the norm is then gradNorm', () => {
  const opt = SGD(pair(), { lr: 1 });
  expect(clipGradNorm(opt, 0.5)).toBe(5);
  expectClose(gradNorm(opt), 0.5, 1e-5);
});

test('clipGradNorm is 0 where nothing has a gradient', () => {
  expect(clipGradNorm(tensor([1]), 1)).toBe(0);
});

test('clipGradNorm refuses an infinite norm only when it is told to', () => {
  const p = param([1, 1], [Infinity, 1]);
  expect(() => clipGradNorm(p, 1, { errorIfNonfinite: true })).toThrow(
    'clipGradNorm: expected finite gradients, got a norm of Infinity',
  );
  expect(p.grad!.toArray()).toEqual([Infinity, 1]);
  expect(clipGradNorm(p, 1)).toBe(Infinity);
  expect(p.grad!.toArray()).toEqual([NaN, 0]);
});

test('clipGradValue limits each number', () => {
  const params = [param([0, 0, 0], [-3, 0.5, 3]), param([1])];
  clipGradValue(params, 1);
  expect(params[0]!.grad!.toArray()).toEqual([-1, 0.5, 1]);
});

test.each([
  ['clipGradNorm: expected maxNorm of at least 0, got -1', () => clipGradNorm(pair(), -1)],
  ['clipGradValue: expected maxValue of at least 0, got NaN', () => clipGradValue(pair(), NaN)],
  ['expected an optimizer or tensors, got 3', () => clipGradNorm(3 as never, 1)],
  ['expected normType above 0, got 0', () => clipGradNorm(pair(), 1, { normType: 0 })],
  ["unknown option 'norm'", () => clipGradNorm(pair(), 1, { norm: 2 } as never)],
])('%s', (message, run) => {
  expect(run).toThrow(message);
});
