import { accuracy, Callback, GradientClip, tensor, Tensor, zeros } from '../../lib/index';
import { PendingNumbers } from '../../lib/learner/pending';
import { at, tinyLearner } from './tiny';

test('numbers come in order, all of them, when they are read or when there are many', () => {
  const got: number[] = [];
  const pending = new PendingNumbers((value) => got.push(value));
  pending.read();
  const all = Array.from({ length: 600 }, (_, i) => i / 7);
  for (const each of all) pending.add(tensor(each, { dtype: 'float64' }));
  expect(got.length).toBeLessThan(600);
  expect(got.length).toBeGreaterThan(300);
  pending.read();
  expect(got).toEqual(all);
  pending.read();
  expect(got).toHaveLength(600);
});

test('several numbers count as their mean, in float64; any dtype will do', () => {
  const got: number[] = [];
  const pending = new PendingNumbers((value) => got.push(value));
  const some = [tensor([[0.1, 0.2]]), tensor([3n]), tensor(true), tensor([[5]]), zeros([0])];
  for (const each of some) pending.add(each);
  pending.read();
  expect(got).toEqual([(Math.fround(0.1) + Math.fround(0.2)) / 2, 3, 1, 5, NaN]);
});

test('what was forgotten is not read', () => {
  const got: number[] = [];
  const pending = new PendingNumbers((value) => got.push(value));
  pending.add(tensor(1));
  pending.clear();
  pending.add(tensor(2));
  pending.read();
  expect(got).toEqual([2]);
});

test('no batch reads a number from the device: a GPU would have to be waited for', async () => {
  const reads: number[] = [];
  const spies = [jest.spyOn(Tensor.prototype, 'item'), jest.spyOn(Tensor.prototype, 'data')];
  const note = () => void reads.push(spies.reduce((sum, { mock }) => sum + mock.calls.length, 0));
  const noted = at(1000, new Callback({ afterBatch: note, afterEpoch: note }));
  // On the CPU, where that costs nothing, clipping reads a number, unless somebody sees the gradients after it.
  const watch = at(12, new Callback({ beforeStep: () => undefined }));
  const learn = tinyLearner({ metrics: accuracy, cbs: [new GradientClip(), watch, noted] });
  await learn.fit(2);
  for (const spy of spies) spy.mockRestore();
  // 4 training batches; then the training loss is read, and 2 validation batches; then their loss and the metric.
  expect(reads).toEqual([0, 0, 0, 0, 1, 1, 3, 3, 3, 3, 3, 4, 4, 6]);
});
