import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import {
  Callback,
  keep,
  memory,
  randn,
  Scope,
  tensor,
  tidy,
  zeros,
  type Tensor,
} from '../../lib/index';
import { at, failure, tinyLearner } from './tiny';

test('memory is the same at each place of each epoch, once the first batch has made the state', async () => {
  // The bytes are those of the process: what other tests left behind is not to go meanwhile.
  globalThis.gc?.();
  await setImmediate();
  const seen: { tensors: number; bytes: number }[] = [];
  const learn = tinyLearner({ metrics: (pred) => pred.mean() });
  const note = () => void seen.push(memory());
  // The last to hear of a batch: all else has happened by then, but for the batch's end.
  learn.addCb(at(1000, new Callback({ beforeBatch: note })));
  learn.addCb(at(1000, new Callback({ afterEpoch: note })));
  await learn.fit(3);
  // Each epoch has 4 training batches, 2 validation batches and its end.
  const epochs = [0, 7, 14].map((start) => seen.slice(start, start + 7));
  const [first, second, third] = epochs.map((epoch) => epoch.map(({ tensors }) => tensors));
  expect(third).toEqual(second);
  expect(first!.slice(1)).toEqual(second!.slice(1));
  // Each batch has two tensors, and the loader one for the order of its items. While numbers wait to be read they are in one
  // tensor: the losses in training, then those of the validation set and those of the metric.
  const idle = second!.at(-1)!;
  expect(second!.map((tensors) => tensors - idle)).toEqual([3, 4, 4, 4, 3, 5, 0]);
  expect(new Set(epochs.map((epoch) => epoch[6]!.bytes)).size).toBe(1);
});

test('tensors of a batch are freed after it, but for those that are kept', async () => {
  const made: Tensor[] = [];
  const kept: Tensor[] = [];
  const cb = new Callback({
    afterPred: (learn) => {
      made.push(learn.pred, learn.x, learn.pred.mul(2));
      kept.push(keep(learn.pred.mean()));
    },
  });
  await tinyLearner({ cbs: cb }).fit(1);
  expect(made.every((each) => each.isDisposed)).toBe(true);
  expect(kept.some((each) => each.isDisposed)).toBe(false);
  for (const each of kept) each.dispose();
});

test('an error half-way through a batch frees its tensors', async () => {
  const learn = tinyLearner();
  await learn.fit(1);
  const before = memory().tensors;
  const cb = new Callback({
    afterLoss: () => {
      throw new Error('stop');
    },
  });
  await failure(learn.fit(1, { cbs: cb }));
  expect(memory().tensors).toBe(before);
});

test('a request that is served during a fit finds its tensors alive', async () => {
  using weight = randn([3, 3]);
  const expected = tidy(() => weight.matmul(weight).add(1).toArray());
  let served = 0;
  const server = createServer((_request, response) => {
    void (async () => {
      const product = weight.matmul(weight);
      // Batches come and go here.
      await new Promise((resolve) => setTimeout(resolve, 2));
      const sum = product.add(1);
      await setImmediate();
      response.end(JSON.stringify(sum.toArray()));
      product.dispose();
      sum.dispose();
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const learn = tinyLearner();
  let fitting = true;
  const ask = async (): Promise<void> => {
    while (fitting) {
      const response = await fetch(`http://127.0.0.1:${port}/`);
      expect(await response.json()).toEqual(expected);
      served += 1;
    }
  };
  const clients = Promise.all([ask(), ask()]);
  await learn.fit(40);
  fitting = false;
  await clients;
  expect(served).toBeGreaterThan(10);
  await new Promise((resolve) => server.close(resolve));
});

test('other work of the process runs between batches', async () => {
  let ticks = 0;
  const timer = setInterval(() => (ticks += 1), 0);
  await tinyLearner().fit(20);
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(20);
});

test('what asynchronous events make belongs to no batch', async () => {
  const made: Tensor[] = [];
  const cb = new Callback({
    beforeBatch: async () => {
      await setImmediate();
      made.push(tensor([1, 2]));
    },
  });
  await tinyLearner({ cbs: cb }).fit(1);
  expect(made.some((each) => each.isDisposed)).toBe(false);
});

test('a scope of the caller is neither entered nor emptied', async () => {
  const scope = new Scope();
  const mine = scope.run(() => zeros(1));
  await tinyLearner().fit(1);
  expect(mine.isDisposed).toBe(false);
  scope.dispose();
  expect(mine.isDisposed).toBe(true);
});
