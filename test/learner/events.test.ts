import {
  Callback,
  CancelBackwardException,
  CancelBatchException,
  CancelEpochException,
  CancelFitException,
  CancelStepException,
  CancelTrainException,
  CancelValidException,
  nn,
  Learner,
  type EventName,
} from '../../lib/index';
import { eventNames } from '../../lib/learner/events';
import { thrown } from '../support/tensors';
import { at, failure, tinyData, tinyLearner, tinyModel, weights } from './tiny';

// fastai's events of one training and one validation batch; spec/fastai.md 2.2.
const trainBatch = [
  'beforeBatch',
  'afterPred',
  'afterLoss',
  'beforeBackward',
  'afterBackward',
  'beforeStep',
  'afterStep',
  'afterBatch',
];
const validBatch = ['beforeBatch', 'afterPred', 'afterLoss', 'afterBatch'];

function logger(log: string[]): Callback {
  return new Callback(
    Object.fromEntries(eventNames.map((name) => [name, () => void log.push(name)])),
  );
}

function oneBatch(cbs: Callback[], log: string[]): Learner {
  const dls = { train: tinyData(4), valid: tinyData(4) };
  return new Learner(dls, tinyModel(), {
    lossFunc: nn.crossEntropy,
    progress: false,
    cbs: [logger(log), ...cbs],
  });
}

function throwing(event: EventName, Cancel: new () => Error): Callback {
  return new Callback({
    [event]: () => {
      throw new Cancel();
    },
  });
}

test('a fit fires all events in the order of fastai', async () => {
  const log: string[] = [];
  await oneBatch([], log).fit(1);
  expect(log).toEqual([
    ...['afterCreate', 'beforeFit', 'beforeEpoch', 'beforeTrain', ...trainBatch, 'afterTrain'],
    ...['beforeValidate', ...validBatch, 'afterValidate', 'afterEpoch', 'afterFit'],
  ]);
});

test('there are 24 events', () => {
  expect(eventNames).toHaveLength(24);
});

// What comes between the event that throws and the next stage that is as usual.
test.each<[EventName, new () => Error, string[]]>([
  [
    'afterPred',
    CancelBatchException,
    ['beforeBatch', 'afterPred', 'afterCancelBatch', 'afterBatch', 'afterTrain', 'beforeValidate'],
  ],
  [
    'beforeBackward',
    CancelBackwardException,
    [
      'beforeBackward',
      'afterCancelBackward',
      'afterBackward',
      'beforeStep',
      'afterStep',
      'afterBatch',
    ],
  ],
  [
    'beforeStep',
    CancelStepException,
    ['beforeStep', 'afterCancelStep', 'afterStep', 'afterBatch', 'afterTrain'],
  ],
  [
    'afterLoss',
    CancelTrainException,
    ['afterLoss', 'afterCancelTrain', 'afterTrain', 'beforeValidate', 'beforeBatch'],
  ],
  [
    'beforeValidate',
    CancelValidException,
    ['beforeValidate', 'afterCancelValidate', 'afterValidate', 'afterEpoch', 'afterFit'],
  ],
  [
    'afterTrain',
    CancelEpochException,
    ['afterTrain', 'afterCancelEpoch', 'afterEpoch', 'afterFit'],
  ],
  ['beforeStep', CancelFitException, ['beforeStep', 'afterCancelFit', 'afterFit']],
])('an exception in %s leaves its stage: %p', async (event, Cancel, expected) => {
  const log: string[] = [];
  const cb = throwing(event, Cancel);
  cb.runValid = false;
  await oneBatch([cb], log).fit(1);
  const start = log.indexOf(expected[0]!);
  expect(log.slice(start, start + expected.length)).toEqual(expected);
});

test('a batch cancelled before its step keeps its gradients, a cancelled step does not', async () => {
  const seen: Record<string, boolean[]> = {};
  for (const Cancel of [CancelBatchException, CancelStepException]) {
    const learn = tinyLearner({ cbs: throwing('beforeStep', Cancel) });
    const before = weights(learn).slice(0, 24);
    await learn.fit(1);
    const grad = learn.model.parameters()[0]!.grad!;
    seen[Cancel.name] = [
      grad.abs().sum().item() > 0,
      weights(learn).slice(0, 24).join() === before.join(),
    ];
  }
  expect(seen).toEqual({ CancelBatchException: [true, true], CancelStepException: [false, true] });
});

test('callbacks run by order, those of one order as they were added', async () => {
  const log: string[] = [];
  const named = (name: string, order: number) =>
    at(order, new Callback({ beforeFit: () => void log.push(name) }));
  await tinyLearner({ cbs: [named('c', 1), named('a', -5), named('d', 1), named('b', 0)] }).fit(1);
  expect(log).toEqual(['a', 'b', 'c', 'd']);
});

test('promises of events are awaited', async () => {
  const log: string[] = [];
  const slow = new Callback({
    afterPred: async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      log.push('slow');
    },
  });
  await oneBatch([slow, at(1, new Callback({ afterPred: () => void log.push('next') }))], []).fit(
    1,
  );
  expect(log).toEqual(['slow', 'next', 'slow', 'next']);
  const tooSlow = { afterCreate: () => Promise.resolve() };
  expect(thrown(() => tinyLearner({ cbs: new Callback(tooSlow) })).message).toMatch(
    /^afterCreate: expected a synchronous function/,
  );
});

test('run, runTrain and runValid choose what reaches a callback', async () => {
  const count = async (set: (cb: Callback) => void): Promise<number> => {
    let batches = 0;
    const cb = new Callback({ afterBatch: () => void (batches += 1) });
    set(cb);
    await tinyLearner({ cbs: cb }).fit(1);
    expect(cb.run).toBe(true);
    return batches;
  };
  expect(await count(() => {})).toBe(6);
  expect(await count((cb) => (cb.runTrain = false))).toBe(2);
  expect(await count((cb) => (cb.runValid = false))).toBe(4);
  expect(await count((cb) => (cb.run = false))).toBe(0);
});

test('an error in a callback ends the fit, and the learner can be used again', async () => {
  const log: unknown[] = [];
  const learn = tinyLearner();
  const error = new Error('disk full');
  let armed = true;
  const cb = new Callback({
    afterBackward: () => {
      if (armed) throw error;
    },
  });
  cb.onError = (_learn, reason) => void log.push(reason);
  learn.addCb([cb, new Callback({ afterFit: () => void log.push('afterFit') })]);
  expect(await failure(learn.fit(1))).toBe(error);
  expect(log).toEqual([error]);
  expect(learn.model.parameters()[0]!.grad!.abs().sum().item()).toBe(0);
  expect([learn.xb, learn.yb]).toEqual([[], []]);
  armed = false;
  await learn.fit(1);
  expect(learn.recorder.losses).toHaveLength(4);
});

test.each([
  ['disposes the optimizer', (learn: Learner) => void learn.opt?.dispose(), () => {}],
  [
    'is followed by an onError that throws',
    () => {},
    () => {
      throw new Error('from onError');
    },
  ],
  [
    'is followed by an onError that rejects',
    () => {},
    () => Promise.reject(new Error('from onError')),
  ],
])('an error in a callback comes out, also when it %s', async (_, before, onError) => {
  const error = new Error('disk full');
  const heard: unknown[] = [];
  const first = new Callback({
    afterBackward: (learn) => {
      before(learn);
      throw error;
    },
  });
  first.onError = onError;
  const second = new Callback();
  second.onError = (_learn, reason) => void heard.push(reason);
  expect(await failure(tinyLearner({ cbs: [first, second] }).fit(1))).toBe(error);
  expect(heard).toEqual([error]);
});

test('callbacks of one fit are gone after it, also when it fails', async () => {
  const learn = tinyLearner();
  const before = [...learn.cbs];
  await learn.fit(1, { cbs: new Callback() });
  await failure(learn.fit(1, { cbs: [new Callback(), throwing('beforeFit', RangeError)] }));
  expect(learn.cbs).toEqual(before);
});

test('a refused callback changes nothing: the permanent ones stay', async () => {
  const [permanent, fresh] = [new Callback(), new Callback()];
  const learn = tinyLearner({ cbs: permanent });
  const before = [...learn.cbs];
  for (const cbs of [permanent, [fresh, permanent], [fresh, fresh], [fresh, 'cb' as never]]) {
    expect((await failure(learn.fit(1, { cbs }))).message).toMatch(/^addCb: expected a/);
    expect(learn.cbs).toEqual(before);
  }
  await learn.fit(1, { cbs: fresh });
});

test('addCb and removeCb', () => {
  class Mine extends Callback {}
  const learn = tinyLearner();
  const [a, b] = [new Mine(), new Callback()];
  expect(learn.addCb([a, b])).toBe(learn);
  expect(thrown(() => learn.addCb(a)).message).toBe(
    'addCb: expected a new callback, got one that was added before',
  );
  expect(learn.removeCb(Mine).cbs.includes(a)).toBe(false);
  const names = (each: Learner) => each.cbs.map((cb) => cb.constructor.name);
  expect(names(learn.removeCb(b))).toEqual(names(tinyLearner()));
  expect(thrown(() => learn.addCb(Mine as never)).message).toMatch(
    /^addCb: expected a Callback, got .*; make one with new$/,
  );
  expect(thrown(() => new Callback({ afterbatch: () => {} } as object)).message).toMatch(
    /^Callback: unknown option 'afterbatch'/,
  );
});

test('the batch can be read once it has come so far', () => {
  const learn = tinyLearner();
  for (const name of ['x', 'y', 'pred', 'loss', 'lossGrad'] as const) {
    expect(thrown(() => learn[name]).message).toMatch(
      new RegExp(`^learn.${name}: expected a batch that has come so far`),
    );
  }
});

test('a callback may change what comes next', async () => {
  const losses: number[] = [];
  const learn = tinyLearner({
    cbs: [
      new Callback({
        beforeBatch: (l) => void (l.xb = [l.x.mul(0)]),
        afterLoss: (l) => void (l.lossGrad = l.lossGrad.mul(0)),
        afterBackward: (l) =>
          void losses.push(l.loss.item(), l.model.parameters()[0]!.grad!.abs().sum().item()),
      }),
    ],
  });
  await learn.fit(1);
  expect(losses[0]).toBeGreaterThan(0);
  expect(losses[1]).toBe(0);
});
