import { gradNorm, SGD } from '../../lib/optim';
import { param } from './support';

test('gradNorm takes all gradients together', () => {
  const opt = SGD([[param([1, 1], [3, 0])], [param([1]), param([1], [-4])]], { lr: 1 });
  expect(gradNorm(opt)).toBeCloseTo(5, 6);
});

test('gradNorm is 0 without a gradient', () => {
  expect(gradNorm(SGD(param([1]), { lr: 1 }))).toBe(0);
});
