import { nn, tensor } from '../../lib/index';
import { expectClose, thrown } from '../support/tensors';

const scores = () =>
  tensor(
    [
      [1, 2, 3],
      [0, -1, 2],
    ],
    { dtype: 'float64' },
  );
const logSum = (row: number[]) => Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0));
const losses = [logSum([1, 2, 3]) - 2, logSum([0, -1, 2]) - 0];

test('crossEntropy is log-sum-exp minus the score of the class', () => {
  const target = tensor([1n, 0n]);
  expectClose(nn.crossEntropy(scores(), target), [(losses[0]! + losses[1]!) / 2], 1e-12);
  expectClose(nn.crossEntropy(scores(), target, { reduction: 'none' }), losses, 1e-12);
  expectClose(
    nn.crossEntropy(scores(), target, { reduction: 'sum' }),
    [losses[0]! + losses[1]!],
    1e-12,
  );
});

test('crossEntropy leaves out a class, weights classes, and smooths labels', () => {
  const target = tensor([1n, 0n]);
  expectClose(nn.crossEntropy(scores(), target, { ignoreIndex: 0 }), [losses[0]!], 1e-12);
  const weight = tensor([3, 1, 1], { dtype: 'float64' });
  expectClose(
    nn.crossEntropy(scores(), target, { weight }),
    [(losses[0]! + 3 * losses[1]!) / 4],
    1e-12,
  );
  const uniform = [logSum([1, 2, 3]) - 2, logSum([0, -1, 2]) - 1 / 3];
  const smooth = losses.map((loss, i) => 0.9 * loss + 0.1 * uniform[i]!);
  expectClose(
    nn.crossEntropy(scores(), target, { labelSmoothing: 0.1 }),
    [(smooth[0]! + smooth[1]!) / 2],
    1e-12,
  );
});

test('nllLoss, mseLoss, l1Loss, bceWithLogits', () => {
  expectClose(
    nn.nllLoss(scores().logSoftmax(1), tensor([1n, 0n])),
    [(losses[0]! + losses[1]!) / 2],
    1e-12,
  );
  expectClose(nn.mseLoss(tensor([1, 2]), tensor([3, 3])), [2.5]);
  expectClose(nn.l1Loss(tensor([1, 2]), tensor([3, 3]), { reduction: 'sum' }), [3]);
  expectClose(nn.bceWithLogits(tensor([0, 2]), tensor([1, 0])), [
    (Math.log(2) + 2 + Math.log(1 + Math.exp(-2))) / 2,
  ]);
});

test('refuses unknown options, reductions and classes out of range', () => {
  expect(
    thrown(() => nn.crossEntropy(scores(), tensor([1n, 0n]), { smoothing: 0.1 } as never)).code,
  ).toBe('ERR_TORCH_UNKNOWN_OPTION');
  expect(
    thrown(() => nn.mseLoss(scores(), scores(), { reduction: 'max' as never })).message,
  ).toContain("got 'max'");
  // A GPU finds it out when it computes, and is of no use from then on.
  expect(
    thrown(() => nn.crossEntropy(scores().cpu(), tensor([1n, 7n], { device: 'cpu' }))).message,
  ).toMatch(/out of bounds/);
});
