import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Adam,
  Callback,
  Learner,
  nn,
  SGD,
  slice,
  tensor,
  zeros,
  type Batch,
} from '../../lib/index';
import { failure, tinyLearner, tinyModel } from './tiny';

interface Golden {
  oneCycle: { lr: number; one: [number, number][]; three: [number, number][] };
}
const golden = (
  JSON.parse(readFileSync(join(__dirname, '../golden/learner.json'), 'utf8')) as Golden
).oneCycle;

function learnerOf(batches: number): Learner {
  const batch: Batch = [zeros([2, 1]), tensor([0n, 1n])];
  const train = Array.from({ length: batches }, () => batch);
  return new Learner({ train }, new nn.Linear(1, 2), {
    lossFunc: nn.crossEntropy,
    optFunc: Adam,
    progress: false,
  });
}

/** Within one step of a float64 of the size of `scale`: V8's cosine is not always the C library's. */
function expectBits(
  actual: readonly number[] | undefined,
  expected: readonly number[],
  scale: number,
): void {
  expect(actual).toHaveLength(expected.length);
  const off = expected.map((value, i) => Math.abs((actual?.[i] ?? NaN) - value));
  expect(Math.max(...off)).toBeLessThanOrEqual(Number.EPSILON * scale);
}

test('one cycle over 147 batches ends at the values of the article', async () => {
  const learn = learnerOf(147);
  await learn.fitOneCycle(1);
  const { hps } = learn.recorder;
  expectBits(
    hps.lr,
    golden.one.map(([lr]) => lr),
    1e-3,
  );
  expectBits(
    hps.mom,
    golden.one.map(([, mom]) => mom),
    1,
  );
  expect(learn.opt!.hypers).toEqual([
    { lr: 2.1297981542376006e-7, mom: 0.9499797018154758, sqr_mom: 0.99, eps: 1e-5, wd: 0.01 },
  ]);
  expect(learn.recorder.lrs).toEqual(hps.lr);
});

test('one cycle goes over all epochs', async () => {
  const learn = learnerOf(7);
  await learn.fitOneCycle(3, { lrMax: golden.lr });
  expectBits(
    learn.recorder.hps.lr,
    golden.three.map(([lr]) => lr),
    golden.lr,
  );
  expectBits(
    learn.recorder.hps.mom,
    golden.three.map(([, mom]) => mom),
    1,
  );
});

test('a slice gives each group a cycle of its own', async () => {
  const learn = tinyLearner({
    splitter: (model) =>
      model
        .children()
        .slice(0, 5)
        .filter((child) => child.parameters().length > 0)
        .map((child) => child.parameters()),
  });
  const seen: number[][] = [];
  learn.addCb(
    new Callback({ afterStep: ({ opt }) => void seen.push(opt!.hypers.map(({ lr }) => lr!)) }),
  );
  await learn.fitOneCycle(1, { lrMax: slice(1e-4, 1e-2) });
  [1e-4, 1e-3, 1e-2].forEach((lr, i) => expect(seen[0]![i]).toBeCloseTo(lr / 25, 12));
  expect(learn.recorder.hps.lr!.at(0)).toBe(seen[0]![2]);
  const [first, second, third] = seen[2]!;
  expect([second! / first!, third! / second!]).toEqual([
    expect.closeTo(10, 9),
    expect.closeTo(10, 9),
  ]);
});

test('an optimizer without momentum gets none, unless it is asked for', async () => {
  const learn = tinyLearner({ optFunc: SGD });
  await learn.fitOneCycle(1, { lrMax: 0.1 });
  expect(Object.keys(learn.recorder.hps)).toEqual(['lr']);
  const error = await failure(learn.fitOneCycle(1, { moms: [0.9, 0.8, 0.9] }));
  expect(error.message).toBe("setHyper('mom'): no callback reads 'mom'; this optimizer has wd, lr");
});

test('an unknown option is refused by name', async () => {
  const learn = tinyLearner();
  const wrong = { lr: 1e-3 } as object;
  const error = await failure(learn.fitOneCycle(10, wrong));
  expect([error.name, error.code]).toEqual(['UnknownOptionError', 'ERR_TORCH_UNKNOWN_OPTION']);
  expect(error.message).toMatch(
    /^fitOneCycle: unknown option 'lr' \(did you mean 'lrMax'\?\); it takes lrMax, /,
  );
  expect((await failure(learn.fit(1, { lrMax: 1 } as object))).message).toMatch(
    /^fit: unknown option 'lrMax' \(did you mean 'lr'\?\)/,
  );
  // @ts-expect-error the types say so too
  await failure(learn.fitOneCycle(1, { lr: 1e-3 }));
});

test('a flat start, then a cosine', async () => {
  const learn = learnerOf(8);
  await learn.fitFlatCos(1, { lr: 0.1, pctStart: 0.5 });
  const lrs = learn.recorder.lrs;
  expect(lrs.slice(0, 4)).toEqual([0.1, 0.1, 0.1, 0.1]);
  expect(lrs[6]).toBeCloseTo(0.05, 5);
});

test('warm restarts get longer', async () => {
  const learn = learnerOf(4);
  await learn.fitSgdr(2, 1, { lrMax: 1 });
  expect(learn.nEpoch).toBe(3);
  expect(learn.recorder.lrs[0]).toBe(1);
  expect(learn.recorder.lrs[2]).toBeCloseTo(0.5, 6);
  expect(learn.recorder.lrs[4]).toBeCloseTo(1, 6);
  expect(learn.recorder.lrs[8]).toBeCloseTo(0.5, 6);
  await learn.fitSgdr(2, 1, { lrMax: 1, cycleMult: 1 });
  expect(learn.nEpoch).toBe(2);
});

test.each([
  [0, 1, {}, 'nCycles: expected a whole number from 1 up, got 0'],
  [1.5, 1, {}, 'nCycles: expected a whole number from 1 up, got 1.5'],
  [Infinity, 1, {}, 'nCycles: expected a whole number from 1 up, got Infinity'],
  [2, 0.5, {}, 'expected cycles of whole epochs, got [ 0.5, 1 ]'],
  [2, 1, { cycleMult: 1.5 }, 'expected cycles of whole epochs, got [ 1, 1.5 ]'],
  [2, 1, { cycleMult: 0 }, 'expected cycles of whole epochs, got [ 1, 0 ]'],
])('%p restarts of %p epochs with %j are refused', async (nCycles, cycleLen, options, message) => {
  const error = await failure(tinyLearner().fitSgdr(nCycles, cycleLen, options));
  expect([error.code, error.message]).toEqual(['ERR_TORCH_ARGUMENT', `fitSgdr: ${message}`]);
});

test('fine-tuning trains the last group alone, then all', async () => {
  const model = tinyModel();
  const [first, norm, , , last] = model.children();
  const learn = tinyLearner(
    { splitter: () => [[...first!.parameters(), ...norm!.parameters()], last!.parameters()] },
    model,
  );
  const log: string[] = [];
  learn.addCb(
    new Callback({
      beforeTrain: ({ opt }) =>
        void log.push(`from group ${opt!.frozenIdx}, norm ${norm!.parameters()[0]!.requiresGrad}`),
    }),
  );
  await learn.fineTune(2, { baseLr: 1e-2 });
  expect(log).toEqual([
    'from group 1, norm true',
    'from group 0, norm true',
    'from group 0, norm true',
  ]);
  // 1e-2 / 2, divided by 5 at the start of the second cycle
  expect(learn.recorder.lrs[0]).toBeCloseTo(1e-3, 12);
});

test('a first epoch other than 0 goes on along the schedule', async () => {
  const learn = learnerOf(7);
  await learn.fitOneCycle(3, { lrMax: golden.lr, startEpoch: 2 });
  expectBits(
    learn.recorder.lrs,
    golden.three.slice(14).map(([lr]) => lr),
    golden.lr,
  );
});
