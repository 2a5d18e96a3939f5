import {
  Callback,
  EMA,
  GradientAccumulation,
  GradientClip,
  type Learner,
  manualSeed,
  keep,
  MixedPrecision,
  Nadam,
  nn,
  ones,
  Ranger,
  SGD,
  tensor,
  type LearnerOptions,
} from '../../lib/index';
import { onGpu } from '../support/cuda';
import { numbers } from '../support/tensors';
import { both, expectSame, learnerOf } from './graphs';
import { weights } from './tiny';

test("the optimizer's step is in the graph, and states show it to callbacks", async () => {
  const steps: (number | undefined)[] = [];
  const cbs = new Callback({
    afterBatch: ({ opt, training }) => {
      if (training) steps.push(...opt!.paramLists.flat().map((p) => opt!.state.get(p).step));
    },
  });
  const learners = await both(() => ({ cbs }));
  expectSame(learners);
  expect(learners[0].explain()).toContain("as a graph, the optimizer's step with them; the");
  expect(steps.slice(0, steps.length / 2)).toEqual(steps.slice(steps.length / 2));
  expect(steps.at(-1)).toBe(15);
});

test('a step with an infinite gradient is skipped by the graph, and not counted', async () => {
  const blow = keep(tensor(1));
  class Blow extends Callback {
    override capturable = true;
    override beforeBatch({ trainIter }: Learner) {
      blow.fill_(trainIter % 4 === 3 ? Infinity : 1);
    }
    override afterLoss(learn: Learner) {
      learn.lossGrad = learn.lossGrad.mul(blow);
    }
  }
  const scales: number[] = [];
  class Scales extends Callback {
    override afterBatch(learn: Learner) {
      const mixed = learn.cbs.find((cb) => cb instanceof MixedPrecision)!;
      if (learn.training) scales.push(mixed.scaler.getScale());
    }
  }
  const cbs = () => ({ cbs: [new Blow(), new Scales(), new GradientClip(0.5)] });
  const learners = await both(cbs, (learn) => learn.toFp16({ growthInterval: 3 }));
  expectSame(learners);
  expect(learners[0].explain()).toMatch(/^replayed 9 of 15 .*the optimizer's step with them/);
  expect(scales.slice(0, 15)).toEqual(scales.slice(15));
  const steps = learners.map(({ opt, model }) => opt!.state.get(model.parameters()[0]!).step);
  expect(steps).toEqual([12, 12]);
  blow.dispose();
});

test('the step is waited for where the first ones are skipped', async () => {
  const learners = await both(
    () => ({}),
    (learn) => learn.toFp16({ initScale: 2 ** 40, backoffFactor: 2 ** -10 }),
  );
  expectSame(learners);
  expect(learners[0].explain()).toMatch(
    /^replayed 8 of 15 .*the optimizer's step with them; the others not: warming up \(5\)/,
  );
  const steps = learners.map(({ opt, model }) => opt!.state.get(model.parameters()[0]!).step);
  expect(steps).toEqual([12, 12]);
});

test.each<[string, () => Partial<LearnerOptions>, string]>([
  [
    'a callback that looks at gradients',
    () => ({ cbs: new Callback({ afterBackward: () => undefined }) }),
    "Callback listens to afterBackward, and isn't capturableStep (9)",
  ],
  [
    'accumulated gradients',
    () => ({ cbs: new GradientAccumulation(8) }),
    "GradientAccumulation listens to beforeStep, and isn't capturableStep (9)",
  ],
  [
    'a callback that hears of skipped steps',
    () => ({ cbs: new Callback({ afterCancelStep: () => undefined }) }),
    "Callback listens to afterCancelStep, and isn't capturableStep (9)",
  ],
  ['Ranger', () => ({ optFunc: Ranger }), 'Lookahead decides on its steps itself (9)'],
  [
    'an optimizer without kernels',
    () => ({ optFunc: (params, { lr }) => SGD(params, { lr, fused: false }) }),
    "the optimizer's callbacks run, as fused is false (9)",
  ],
])('the step stays apart with %s', async (_, options, reason) => {
  const learners = await both(options);
  expectSame(learners);
  const parts = learners[0].explain().split('; ');
  expect(parts.slice(0, 2)).toEqual([
    'replayed 9 of 15 training batches as a graph',
    `the optimizer's step was apart: ${reason}`,
  ]);
});

test('what only the step does keeps only the step apart', async () => {
  class Reads extends Callback {
    override capturableStep = true;
    override beforeStep({ isRecording }: Learner) {
      if (isRecording) throw new Error('operation not permitted when stream is capturing');
    }
  }
  const learners = await both(
    () => ({ cbs: new Reads() }),
    (learn) => learn.toFp16(),
  );
  expectSame(learners);
  expect(learners[0].explain()).toContain(
    "apart: it can't be recorded: operation not permitted when stream is capturing (9)",
  );
});

test.each<[string, (learn: Learner) => unknown]>([
  ['a flag', ({ opt, model }) => (opt!.state.get(model.parameters()[0]!).do_wd = false)],
  ['a count', ({ opt, model }) => (opt!.state.get(model.parameters()[0]!).step = 40)],
  ['a step of its own', ({ opt }) => opt!.step()],
  ['a callback more', (learn) => learn.addCb(new GradientClip(0.01))],
  ['precision', (learn) => learn.toFp32()],
])('what changes in the middle of a fit is heeded: %s', async (_, change) => {
  const cbs = () => ({
    cbs: new Callback({
      beforeBatch: (learn) => {
        if (learn.training && learn.trainIter === 6) change(learn);
      },
    }),
  });
  expectSame(await both(cbs, (learn) => learn.toBf16()));
});

test('an EMA that is made in the middle of a fit follows each step from then on', async () => {
  const averages: EMA[] = [];
  const cbs = () => ({
    cbs: new Callback({
      beforeBatch: ({ opt, training, trainIter }) => {
        if (training && trainIter === 6) averages.push(new EMA(opt!, { decay: 0.9 }));
      },
    }),
  });
  const learners = await both(cbs);
  expectSame(learners);
  const [graph, plain] = averages.map((ema) => ema.averages.map(numbers));
  expect(graph).toEqual(plain);
  expect(learners[0].explain()).toContain('apart: an EMA follows the optimizer (3)');
  for (const ema of averages) ema.dispose();
});

onGpu(
  'on a GPU, the whole step with a schedule, a clip and overflows is the same as without a graph',
  async () => {
    for (const precision of ['float32', 'float16']) {
      manualSeed(4);
      const model = new nn.Sequential(new nn.Linear(3, 16), new nn.ReLU(), new nn.Linear(16, 2));
      const learners = [model.to('cuda'), model.clone()].map((each) => {
        const blow = keep(ones([], { device: 'cuda' }));
        class Blow extends Callback {
          override capturable = true;
          override beforeBatch({ trainIter }: Learner) {
            // In a batch of the graph: the fifth of each epoch is smaller.
            blow.fill_(precision === 'float16' && trainIter % 5 === 3 ? Infinity : 1);
          }
          override afterLoss(learn: Learner) {
            learn.lossGrad = learn.lossGrad.mul(blow);
          }
        }
        const learn = learnerOf({ optFunc: Nadam, cbs: [new GradientClip(0.1), new Blow()] }, each);
        return precision === 'float16' ? learn.toFp16({ initScale: 1024 }) : learn;
      });
      learners[0]!.capture();
      for (const learn of learners) await learn.fitOneCycle(5, { lrMax: 0.02 });
      expect(learners[0]!.explain()).toMatch(/^replayed 17 of 25 .*the optimizer's step with them/);
      const [graph, plain] = learners.map((learn) => [...learn.recorder.losses, ...weights(learn)]);
      graph!.forEach((value, i) => expect(value).toBeCloseTo(plain![i]!, 2));
      const steps = learners.map(({ opt }) =>
        opt!.paramLists.flat().map((p) => opt!.state.get(p).step),
      );
      expect(steps[0]).toEqual(steps[1]);
      expect(steps[0]![0]).toBe(precision === 'float16' ? 20 : 25);
      for (const learn of learners) learn.dispose();
    }
  },
);
