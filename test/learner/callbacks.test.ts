import {
  Callback,
  DataLoader,
  GradientAccumulation,
  GradientClip,
  Learner,
  nn,
  optim,
  ParamScheduler,
  ProgressCallback,
  SchedLin,
  SGD,
  tensor,
  TerminateOnNaN,
  zeros,
  type Fitting,
} from '../../lib/index';
import { formatTime } from '../../lib/learner/table';
import { thrown } from '../support/tensors';
import { at, failure, tinyData, tinyLearner } from './tiny';

test("progress prints fastai's table", async () => {
  const lines: string[] = [];
  const learn = tinyLearner({
    metrics: function accuracy() {
      return 0.5;
    },
  });
  learn.addCb(new ProgressCallback({ log: (line) => void lines.push(line), bar: false }));
  await learn.fit(2);
  expect(lines[0]).toBe('epoch     train_loss  valid_loss  accuracy  time');
  expect(lines).toHaveLength(3);
  expect(lines[1]).toMatch(/^0 {9}\d\.\d{6} {4}\d\.\d{6} {4}0\.500000 {2}00:00$/);
  expect(lines[2]).toMatch(/^1 /);
  await learn.lrFind({ numIt: 20 });
  await learn.validate();
  expect(lines).toHaveLength(3);
  await learn.fit(1);
  expect(lines).toHaveLength(5);
});

test('what prints nothing leaves the next fit its table, also when it never began', async () => {
  const lines: string[] = [];
  const learn = tinyLearner({
    cbs: new ProgressCallback({ log: (line) => void lines.push(line) }),
  });
  const signal = AbortSignal.abort();
  const beginnings = [
    () => learn.validate({ signal }),
    () => learn.lrFind({ signal }),
    () => learn.lrFind({ startLr: 0 }),
    () => learn.lrFind({ numIt: NaN }),
    () => learn.getPreds({ signal }),
  ];
  for (const begin of beginnings) {
    await failure(begin());
    lines.length = 0;
    await learn.fit(1);
    expect(lines).toHaveLength(2);
  }
});

test('times are minutes and seconds, hours where there are some', () => {
  expect([0, 59.9, 61, 3600, 36_061].map(formatTime)).toEqual([
    '00:00',
    '00:59',
    '01:01',
    '1:00:00',
    '10:01:01',
  ]);
});

test('a bar that an error interrupts is taken away', async () => {
  const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const learn = tinyLearner({ cbs: new ProgressCallback({ log: () => {}, bar: true }) });
  await learn.fit(1);
  await failure(
    learn.fit(1, {
      cbs: new Callback({
        afterPred: () => {
          throw new Error('stop');
        },
      }),
    }),
  );
  write.mockRestore();
});

test('a schedule is followed batch by batch', async () => {
  const learn = tinyLearner();
  await learn.fit(2, { cbs: new ParamScheduler({ lr: SchedLin(0, 8), wd: SchedLin(1, 0) }) });
  expect(learn.recorder.hps.lr).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(learn.recorder.hps.wd).toEqual([1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]);
  expect(
    (await failure(learn.fit(1, { cbs: new ParamScheduler({ speed: SchedLin(0, 1) }) }))).message,
  ).toMatch(/^setHyper\('speed'\): no callback reads/);
});

test('a method that runs while training names its learner Fitting, and finds the optimizer', async () => {
  class GradNorm extends Callback {
    readonly norms: number[] = [];
    override afterBackward(learn: Fitting): void {
      this.norms.push(optim.gradNorm(learn.opt));
    }
    override afterEpoch(learn: Learner): void {
      // @ts-expect-error there may be none when validating
      optim.gradNorm(learn.opt);
    }
  }
  const cb = new GradNorm();
  await tinyLearner({ cbs: cb }).fit(1);
  expect(cb.norms.map((norm) => norm > 0)).toEqual([true, true, true, true]);
});

test('GradientClip leaves gradients of at most its norm', async () => {
  const norms: number[] = [];
  const learn = tinyLearner({
    cbs: [
      new GradientClip(0.1),
      at(12, new Callback({ beforeStep: ({ opt }) => void norms.push(optim.gradNorm(opt!)) })),
    ],
  });
  await learn.fit(1);
  expect(norms.every((norm) => norm <= 0.1 && norm > 0.0999)).toBe(true);
  expect(thrown(() => new GradientClip(0)).message).toBe(
    'GradientClip: expected a positive number, got 0',
  );
});

test('GradientAccumulation steps as one larger batch does', async () => {
  const [x, y] = [tensor([[1], [2], [3], [4]]), tensor([[2], [3], [5], [9]])];
  const run = async (bs: number, cbs: Callback[]): Promise<number[]> => {
    const model = new nn.Linear(1, 1);
    model.loadStateDict({ weight: zeros([1, 1]), bias: zeros([1]) });
    const learn = new Learner({ train: new DataLoader([x, y], { bs }) }, model, {
      lossFunc: nn.mseLoss,
      optFunc: SGD,
      lr: 0.01,
      cbs,
      progress: false,
    });
    await learn.fit(2);
    return model.parameters().flatMap((p) => Array.from(p.data(), Number));
  };
  const whole = await run(4, []);
  const parts = await run(2, [new GradientAccumulation(4)]);
  parts.forEach((value, i) => expect(value).toBeCloseTo(whole[i]!, 6));
});

test('TerminateOnNaN ends a fit whose loss is no number', async () => {
  const learn = new Learner({ train: tinyData(16) }, new nn.Linear(3, 2), {
    lossFunc: (pred) => pred.sum().mul(NaN),
    cbs: new TerminateOnNaN(),
    progress: false,
  });
  await learn.fit(3);
  expect([learn.epoch, learn.recorder.losses.length]).toEqual([0, 0]);
});
