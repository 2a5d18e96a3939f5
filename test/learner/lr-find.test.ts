import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Callback, getRngState, manualSeed, nn, SGD, Tensor, Learner } from '../../lib/index';
import { minimum, slide, steep, valley } from '../../lib/learner/suggest';
import { failure, tinyLearner, weights } from './tiny';

interface Curve {
  lrs: number[];
  losses: number[];
  valley: number;
  minimum: number;
  steep: number;
  slide: number;
}
// Numpy's suggestions for noisy curves; learner.py beside it says how.
const { suggestions } = JSON.parse(
  readFileSync(join(__dirname, '../golden/learner.json'), 'utf8'),
) as { suggestions: Curve[] };

test.each(suggestions)('the suggestions are those of the formulas: valley at $valley', (curve) => {
  expect(valley(curve.lrs, curve.losses)).toBe(curve.valley);
  expect(minimum(curve.lrs, curve.losses)).toBe(curve.minimum);
  expect(steep(curve.lrs, curve.losses)).toBe(curve.steep);
  expect(slide(curve.lrs, curve.losses)).toBe(curve.slide);
});

test('a loss that never falls suggests the first learning rate', () => {
  expect(valley([1, 2, 3], [1, 1, 1])).toBe(1);
  expect(slide([1, 2], [1, 1])).toBe(1);
});

function everything(learn: Learner): unknown[] {
  const { opt, model } = learn;
  return [
    weights(learn),
    model.parameters().map((p) => p.grad?.toArray()),
    model.modules().map(({ training }) => training),
    opt?.hypers,
    opt
      ?.allParams()
      .map(([, , state]) =>
        Object.entries(state).map(([key, value]) => [
          key,
          value instanceof Tensor ? value.toArray() : value,
        ]),
      ),
    getRngState().toArray(),
  ];
}

test('lrFind leaves weights, buffers, gradients, state, hypers and random states as they were', async () => {
  manualSeed(5);
  const learn = tinyLearner({
    cbs: new Callback({ afterPred: (l) => void l.pred.add(l.pred.clone().uniform_()) }),
  });
  await learn.fitOneCycle(2);
  learn.model.train();
  const before = everything(learn);
  const found = await learn.lrFind({ numIt: 30 });
  expect(everything(learn)).toEqual(before);
  for (const name of ['valley', 'minimum', 'steep', 'slide'] as const)
    expect(found[name]).toBeGreaterThan(0);
  expect(found.lrs).toHaveLength(found.losses.length);
});

test('a fit is the same with and without lrFind before it', async () => {
  const run = async (find: boolean): Promise<unknown> => {
    manualSeed(5);
    const learn = tinyLearner();
    if (find) await learn.lrFind({ numIt: 12 });
    await learn.fitOneCycle(2, { lrMax: 1e-2 });
    return [learn.recorder.losses, weights(learn)];
  };
  expect(await run(true)).toEqual(await run(false));
});

test('lrFind raises the learning rate by even multiples, and stops', async () => {
  const learn = tinyLearner();
  const { lrs } = await learn.lrFind({ startLr: 1e-5, endLr: 1e-3, numIt: 20 });
  expect(learn.recorder.lrs).toHaveLength(20);
  learn.recorder.lrs.forEach((lr, i) => expect(lr).toBeCloseTo(1e-5 * 100 ** (i / 20), 12));
  expect(lrs).toEqual(learn.recorder.lrs.slice(2, -5));
  expect(learn.recorder.values.flat()).not.toContain(0);
});

test('lrFind stops where the loss explodes, unless told not to', async () => {
  const options = { startLr: 1e-2, endLr: 1e4, numIt: 60 };
  const learn = tinyLearner({ optFunc: SGD }, new nn.Linear(3, 2));
  await learn.lrFind(options);
  const { losses } = learn.recorder;
  expect(losses.length).toBeLessThan(60);
  expect(losses.at(-1)).toBeGreaterThan(4 * Math.min(...losses));
  expect(losses.at(-2)).toBeLessThanOrEqual(4 * Math.min(...losses));
  await learn.lrFind({ ...options, stopDiv: false });
  expect(learn.recorder.losses).toHaveLength(60);
});

test('lrFind says when there is nothing to read', async () => {
  const error = await failure(tinyLearner().lrFind({ numIt: 6 }));
  expect(error.message).toMatch(/^lrFind: expected more than 1 usable losses; raise numIt/);
});

test('lrFind needs batches to train on', async () => {
  const learn = new Learner({ train: [] }, new nn.Linear(3, 2), { lossFunc: nn.crossEntropy });
  expect((await failure(learn.lrFind())).message).toBe(
    'lrFind: expected batches to train on, got an empty dls.train',
  );
});

test('a failed lrFind restores too', async () => {
  const learn = tinyLearner();
  learn.createOpt();
  const before = everything(learn);
  learn.addCb(
    new Callback({
      beforeStep: (l) => {
        if (l.trainIter === 3) throw new RangeError('stop');
      },
    }),
  );
  expect((await failure(learn.lrFind())).message).toBe('stop');
  expect(everything(learn)).toEqual(before);
});
