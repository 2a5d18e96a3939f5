import {
  Adam,
  BusyError,
  Callback,
  DataLoader,
  Learner,
  manualSeed,
  nn,
  optim,
  Optimizer,
  prefetch,
  SGD,
  tensor,
  zeros,
  type Batch,
  type Loader,
  type Tensor,
} from '../../lib/index';
import { failure, tinyData, tinyLearner, tinyModel, weights } from './tiny';

test('a fit does what a loop by hand does', async () => {
  manualSeed(3);
  const model = new nn.Linear(3, 2);
  const twin = model.clone();
  const learn = tinyLearner({ optFunc: SGD, lr: 0.1 }, model);
  await learn.fit(2);
  const opt = SGD(twin.parameters(), { lr: 0.1 });
  for (let epoch = 0; epoch < 2; epoch++) {
    for (const [x, y] of tinyData(16)) {
      nn.crossEntropy(twin.forward(x), y).backward();
      opt.step();
      opt.zeroGrad();
    }
  }
  expect(twin.parameters().map((p) => p.toArray())).toEqual(
    model.parameters().map((p) => p.toArray()),
  );
});

test('the same seed gives the same losses and weights twice', async () => {
  const run = async () => {
    manualSeed(42);
    const x = zeros([16, 3]).normal_();
    const y = x.sum(1).gt(0).long();
    const learn = new Learner(
      { train: new DataLoader([x, y], { bs: 4, shuffle: true, seed: 7 }) },
      tinyModel(),
      {
        ...{ lossFunc: nn.crossEntropy, progress: false },
      },
    );
    await learn.fitOneCycle(3, { lrMax: 1e-2 });
    return [learn.recorder.losses, weights(learn)];
  };
  const first = await run();
  expect(await run()).toEqual(first);
  expect(new Set(first[0]).size).toBe(12);
});

test('training learns', async () => {
  manualSeed(1);
  const learn = tinyLearner({ lr: 0.05 });
  await learn.fit(30);
  expect(learn.recorder.losses.at(-1)).toBeLessThan(0.3);
});

test('lr and wd are set for a fit, wd only where there is one', async () => {
  const learn = tinyLearner({ optFunc: Adam, wd: 0.3, lr: 0.2 });
  await learn.fit(1);
  expect(learn.opt!.hypers[0]).toMatchObject({ lr: 0.2, wd: 0.3 });
  await learn.fit(1, { lr: 0.1, wd: 0.5 });
  expect(learn.opt!.hypers[0]).toMatchObject({ lr: 0.1, wd: 0.5 });
  const { sgdStep } = optim;
  const bare = tinyLearner({
    wd: 0.3,
    optFunc: (params, hypers) => new Optimizer(params, sgdStep, hypers),
  });
  await bare.fit(1);
  expect(bare.opt!.hypers[0]).toEqual({ lr: 1e-3 });
  expect((await failure(bare.fit(1, { wd: 0.1 }))).message).toMatch(
    /^setHyper\('wd'\): no callback reads 'wd'/,
  );
});

test('batches come from async iterables, several inputs and targets too', async () => {
  const made: Batch[] = Array.from({ length: 3 }, () => [
    [zeros([2, 1]), zeros([2, 1])],
    [tensor([0n, 1n]), tensor([1n, 1n])],
  ]);
  const train = {
    length: made.length,
    async *[Symbol.asyncIterator]() {
      for (const batch of made) {
        await new Promise((resolve) => setImmediate(resolve));
        yield batch;
      }
    },
  };
  class Two extends nn.Module {
    linear = new nn.Linear(1, 2);
    override forward(a: Tensor, b: Tensor) {
      return this.linear.forward(a.add(b));
    }
  }
  const learn = new Learner({ train }, new Two(), {
    lossFunc: (pred, first, second: Tensor) =>
      nn.crossEntropy(pred, first).add(nn.crossEntropy(pred, second)),
    progress: false,
  });
  await learn.fit(2);
  expect(learn.recorder.values.map((row) => row.length)).toEqual([1, 1]);
  // The loader made them, so they are still alive.
  expect(made.flat(2).every((each) => !each!.isDisposed)).toBe(true);
});

test('batches without targets give predictions and no loss', async () => {
  let seen = 0;
  const learn = new Learner({ train: [[zeros([2, 3])]] }, tinyModel(), {
    ...{ lossFunc: nn.crossEntropy, progress: false },
    cbs: new Callback({
      afterPred: (l) => void (seen = l.pred.numel),
      afterLoss: () => void (seen = -1),
    }),
  });
  await learn.fit(1);
  expect(seen).toBe(4);
});

test('a batch that is none is refused', async () => {
  for (const batch of [zeros(2), [1, 2], [], [zeros(1), zeros(1), zeros(1)]]) {
    const learn = new Learner({ train: [batch] as never }, tinyModel(), {
      lossFunc: nn.crossEntropy,
      progress: false,
    });
    expect((await failure(learn.fit(1))).message).toMatch(
      /^Learner: expected batches \[x, y\] of tensors, got /,
    );
  }
});

test.each([
  [
    'a number as the loss',
    { lossFunc: (): unknown => 3 },
    'Learner: the loss: expected a Tensor, got 3',
  ],
  [
    'an asynchronous loss',
    { lossFunc: (): unknown => Promise.resolve(zeros(1)) },
    'Learner: the loss: expected a synchronous function, got one that returns a promise; await outside it',
  ],
  [
    'a metric without a value',
    { metrics: function nothing() {} },
    "Learner: the metric 'nothing': expected a Tensor or a number, got undefined",
  ],
  [
    'an asynchronous metric',
    {
      metrics: function late(): unknown {
        return Promise.resolve(1);
      },
    },
    "Learner: the metric 'late': expected a synchronous function, got one that returns a promise; await outside it",
  ],
])('%s is refused', async (_, options, message) => {
  const error = await failure(tinyLearner(options as object).fit(1));
  expect([error.code, error.message]).toEqual(['ERR_TORCH_ARGUMENT', message]);
});

test('a model that gives no tensor is refused', async () => {
  const learnerWith = (forward: () => unknown): Learner => {
    const model = new nn.Linear(3, 2);
    model.forward = forward as never;
    return tinyLearner({ optFunc: SGD }, model);
  };
  for (const [forward, expected] of [
    [() => Promise.resolve(zeros(1)), 'a synchronous function, got one that returns a promise'],
    [() => [1], 'a Tensor, got [ 1 ]'],
  ] as const) {
    const error = await failure(learnerWith(forward).fit(1));
    expect(error.code).toBe('ERR_TORCH_ARGUMENT');
    expect(error.message).toContain(`Learner: the model's prediction: expected ${expected}`);
  }
});

test('one fit at a time', async () => {
  const learn = tinyLearner();
  const first = learn.fit(1);
  for (const again of [
    () => learn.fit(1),
    () => learn.validate(),
    () => learn.lrFind(),
    () => learn.fitOneCycle(1),
  ]) {
    const error = await failure(again());
    expect(error).toBeInstanceOf(BusyError);
    expect(error.code).toBe('ERR_TORCH_BUSY');
    expect(error.message).toMatch(/: expected one fit at a time, got a second; await the first$/);
  }
  await first;
  await learn.fit(1);
});

test('validate gives loss and metrics, and trains nothing', async () => {
  const learn = tinyLearner({
    metrics: function ones(pred) {
      return pred.shape[0]!;
    },
  });
  const before = weights(learn);
  const [loss, metric] = await learn.validate();
  expect(metric).toBe(4);
  const [sameLoss] = await learn.validate({ dl: tinyData(8, 2) });
  expect(sameLoss).toBe(loss);
  expect(weights(learn)).toEqual(before);
  expect(learn.model.training).toBe(false);
  const bare = new Learner({ train: [] }, tinyModel(), {
    lossFunc: nn.crossEntropy,
    progress: false,
  });
  expect((await failure(bare.validate())).message).toMatch(
    /^validate: expected an iterable of batches/,
  );
});

test('getPreds gives predictions and targets in order', async () => {
  const learn = tinyLearner();
  const { preds, targets } = await learn.getPreds();
  const [first, second] = [...(learn.dls.valid as Iterable<[Tensor, Tensor]>)];
  learn.model.eval();
  expect(preds.toArray()).toEqual([
    ...(learn.model.forward(first![0]).toArray() as []),
    ...(learn.model.forward(second![0]).toArray() as []),
  ]);
  expect(targets!.toArray()).toEqual([
    ...(first![1].toArray() as []),
    ...(second![1].toArray() as []),
  ]);
  const bare = await learn.getPreds({ dl: [[first![0]]] });
  expect([bare.preds.shape, bare.targets]).toEqual([[4, 2], undefined]);
  const controller = new AbortController();
  const cbs = new Callback({ afterPred: () => controller.abort() });
  expect(await failure(learn.getPreds({ cbs, signal: controller.signal }))).toBe(
    controller.signal.reason,
  );
});

test('numbers of epochs are checked', async () => {
  const learn = tinyLearner();
  for (const wrong of [-1, 1.5, NaN]) {
    expect((await failure(learn.fit(wrong))).message).toBe(
      `fit: expected a number of epochs, got ${wrong}`,
    );
    expect((await failure(learn.fit(1, { startEpoch: wrong }))).message).toBe(
      `fit: startEpoch: expected a number of epochs, got ${wrong}`,
    );
  }
  await learn.fit(0);
  expect(learn.recorder.values).toEqual([]);
});

test('an aborted fit stops between batches, after its callbacks, and fails with the reason', async () => {
  const controller = new AbortController();
  const log: string[] = [];
  const cb = new Callback({
    afterBatch: (l) => {
      if (l.trainIter === 2) controller.abort();
    },
    afterCancelFit: () => void log.push('cancelled'),
    afterFit: () => void log.push('after'),
  });
  const learn = tinyLearner();
  const error = await failure(learn.fit(5, { cbs: cb, signal: controller.signal }));
  expect(error.name).toBe('AbortError');
  expect(error).toBe(controller.signal.reason);
  expect(log).toEqual(['cancelled', 'after']);
  expect(await failure(learn.fit(1, { signal: controller.signal }))).toBe(error);
  expect(learn.recorder.losses).toHaveLength(2);
  await learn.fit(1);
});

test.each<[string, (dl: Loader) => Loader]>([
  ['a loader', (dl) => dl],
  ['prefetch', prefetch],
])('a signal ends a fit that waits for a batch which never comes, of %s', async (_, wrap) => {
  const train: Loader = {
    length: 8,
    async *[Symbol.asyncIterator]() {
      yield [zeros([2, 3]), tensor([0n, 1n])] as Batch;
      await new Promise<never>(() => undefined);
    },
  };
  const learn = new Learner({ train: wrap(train) }, new nn.Linear(3, 2), {
    ...{ lossFunc: nn.crossEntropy, progress: false },
  });
  const controller = new AbortController();
  const events: string[] = [];
  const cb = new Callback({
    afterBatch: () => void setTimeout(() => controller.abort(new Error('enough')), 5),
    afterCancelFit: () => void events.push('cancelled'),
    afterFit: () => void events.push('fit'),
  });
  const error = await failure(learn.fit(1, { cbs: cb, signal: controller.signal }));
  expect(error.message).toBe('enough');
  expect(events).toEqual(['cancelled', 'fit']);
  expect(learn.recorder.losses).toHaveLength(1);
});
