import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  autocastDtype,
  Callback,
  CancelBackwardException,
  CancelStepException,
  DataLoader,
  GradientAccumulation,
  GradientClip,
  Learner,
  manualSeed,
  MixedPrecision,
  models,
  Nadam,
  nn,
  optim,
  randn,
  SGD,
  type AmpMode,
  type Fitting,
} from '../../lib/index';
import { testDevice } from '../support/cuda';
import { decodeTensor, type Encoded } from '../support/encoded';
import { thrown } from '../support/tensors';
import { at, failure, tinyLearner, weights } from './tiny';

// What PyTorch gave for the same weights and batches; amp.py beside it says how.
interface Training {
  start: Encoded[];
  x: Encoded;
  losses: number[];
  scales: number[];
  end: Encoded[];
}
const { training } = JSON.parse(readFileSync(join(__dirname, '../golden/amp.json'), 'utf8')) as {
  training: Record<'float16' | 'bfloat16', Training>;
};

const small = () => new nn.Sequential(new nn.Linear(3, 8), new nn.ReLU(), new nn.Linear(8, 2));

test.each([
  ['fp16', training.float16, 1e-3],
  ['bf16', training.bfloat16, 1e-2],
] as const)(
  'training in %s is that of PyTorch, with an overflow in the third batch',
  async (mode, golden, near) => {
    const model = small();
    model.parameters().forEach((p, i) => p.setData(decodeTensor(golden.start[i]!)));
    const x = decodeTensor(golden.x);
    const y = x.select(1, 0).zero_().long();
    x.setData(decodeTensor(golden.x));
    for (let i = 1; i < 32; i += 2) y.narrow(0, i, 1).fill_(1);
    const mixed = new MixedPrecision(
      mode,
      mode === 'fp16' ? { initScale: 2 ** 10, growthInterval: 3 } : {},
    );
    const [losses, scales, stepped]: [number[], number[], boolean[]] = [[], [], []];
    const plant = new Callback({
      afterLoss: (learn) => {
        losses.push(learn.loss.item());
        stepped.push(true);
        if (mode === 'fp16' && learn.trainIter === 2) learn.lossGrad = learn.lossGrad.mul(Infinity);
      },
      afterCancelStep: () => void (stepped[stepped.length - 1] = false),
      afterBatch: () => void scales.push(mixed.scaler.getScale()),
    });
    const learn = new Learner({ train: new DataLoader([x, y], { bs: 4 }) }, model, {
      ...{ lossFunc: nn.crossEntropy, optFunc: SGD, lr: 0.5, progress: false },
      cbs: [mixed, plant],
    });
    await learn.fit(1);
    expect(scales).toEqual(golden.scales);
    expect(stepped).toEqual(golden.scales.map((_, i) => mode === 'bf16' || i !== 2));
    losses.forEach((loss, i) => expect(Math.abs(loss - golden.losses[i]!)).toBeLessThan(near));
    const wanted = golden.end.flatMap(({ data }) => data.map(Number));
    weights(learn).forEach((value, i) => expect(Math.abs(value - wanted[i]!)).toBeLessThan(near));
    learn.dispose();
  },
);

test('only the forward pass and the loss are cast, and callbacks get float32 predictions', async () => {
  const seen = new Set<string>();
  const note = (order: number, name: string) =>
    at(
      order,
      new Callback({
        afterPred: ({ pred, training: on }) =>
          void seen.add(`${name} ${on} ${pred.dtype} ${autocastDtype('cpu')}`),
      }),
    );
  const learn = tinyLearner({ cbs: [note(0, 'before'), note(11, 'after')] }).toBf16();
  let lossDtype = '';
  let lossCast: string | undefined;
  await learn.fit(1, {
    cbs: new Callback({
      afterLoss: ({ loss, autocast }) => {
        lossDtype = loss.dtype;
        lossCast = autocast?.dtype;
      },
    }),
  });
  expect([...seen]).toEqual([
    'before true bfloat16 undefined',
    'after true float32 undefined',
    'before false bfloat16 undefined',
    'after false float32 undefined',
  ]);
  expect([lossDtype, lossCast, learn.autocast]).toEqual(['float32', 'bfloat16', undefined]);
});

test('other work between batches is not cast', async () => {
  const seen = new Set<string>();
  const timer = setInterval(() => seen.add(randn([2, 2]).matmul(randn([2, 2])).dtype), 0);
  await tinyLearner().toBf16().fit(20);
  clearInterval(timer);
  expect([...seen]).toEqual(['float32']);
});

test('gradients are unscaled before they are clipped, and accumulated with one scale', async () => {
  const norms: number[] = [];
  const scales: number[] = [];
  const learn = tinyLearner({
    cbs: [
      new GradientAccumulation(8),
      new GradientClip(0.1),
      at(
        12,
        new Callback({ beforeStep: ({ opt }: Fitting) => void norms.push(optim.gradNorm(opt)) }),
      ),
    ],
  }).toFp16({ initScale: 1024, growthInterval: 1 });
  const mixed = learn.cbs.find((cb) => cb instanceof MixedPrecision)!;
  await learn.fit(1, {
    cbs: new Callback({
      afterBatch: (l) => void (l.training && scales.push(mixed.scaler.getScale())),
    }),
  });
  expect(norms).toHaveLength(2);
  expect(norms.every((norm) => norm <= 0.1 && norm > 0.0999)).toBe(true);
  expect(scales).toEqual([1024, 2048, 2048, 4096]);
});

test('a fit in half precision learns, validates and predicts; lrFind puts all back', async () => {
  manualSeed(1);
  const learn = tinyLearner({ lr: 0.05 }).toFp16();
  const before = weights(learn);
  await learn.lrFind({ numIt: 20 });
  expect(weights(learn)).toEqual(before);
  await learn.fit(30);
  expect(learn.smoothLoss).toBeLessThan(0.3);
  const { preds } = await learn.getPreds();
  expect(preds.dtype).toBe('float32');
  learn.dispose();
});

test('an error leaves nothing behind', async () => {
  const learn = tinyLearner().toFp16();
  const cb = new Callback({
    beforeStep: () => {
      throw new Error('stop');
    },
  });
  expect((await failure(learn.fit(1, { cbs: at(11, cb) }))).message).toBe('stop');
  expect(learn.autocast).toBeUndefined();
  await learn.fit(1);
});

test('precisions take the place of one another', () => {
  const learn = tinyLearner();
  const modes = () => learn.cbs.flatMap((cb) => (cb instanceof MixedPrecision ? cb.ampMode : []));
  expect(learn.toFp16()).toBe(learn);
  expect([modes(), learn.toBf16() && modes(), learn.toFp32() && modes()]).toEqual([
    ['fp16'],
    ['bf16'],
    [],
  ]);
  expect(thrown(() => new MixedPrecision('fp8' as AmpMode)).message).toBe(
    "MixedPrecision: expected the mode 'fp16' or 'bf16', got 'fp8'",
  );
  expect(thrown(() => new MixedPrecision('bf16', { initScale: 2 })).message).toMatch(
    /^MixedPrecision 'bf16': unknown option 'initScale'/,
  );
});

describe('channels last', () => {
  const images = () => {
    const x = randn([8, 3, 16, 16]);
    return new DataLoader([x, x.mean([1, 2, 3]).gt(0).long()], { bs: 4 });
  };
  const last = ([, c, , w]: number[]) => [c! * w! * w!, 1, c! * w!, c!];

  test('the layout of weights, averages and images changes, and no number does but by rounding', async () => {
    manualSeed(2);
    const model = models.xresnet18({ nOut: 2 });
    const twin = model.clone();
    const train = images();
    const seen: number[][] = [];
    const cbs = new Callback({ beforeBatch: ({ x }) => void seen.push(x.strides) });
    const options = { lossFunc: nn.crossEntropy, optFunc: Nadam, lr: 1e-3, progress: false };
    const plain = new Learner({ train }, twin, options);
    const learn = new Learner({ train }, model, { ...options, channelsLast: true, cbs });
    await learn.fit(1);
    await plain.fit(1);
    expect(seen).toEqual(Array(2).fill(last([4, 3, 16, 16])));
    const p = model.getSubmodule('1.0').parameters()[0]!;
    expect([p.strides, learn.opt!.state.get(p).grad_avg!.strides]).toEqual([
      last([32, 32, 3, 3]),
      last([32, 32, 3, 3]),
    ]);
    expect(learn.opt!.explain()).toBe(plain.opt!.explain());
    learn.recorder.losses.forEach((loss, i) =>
      // The first step is the sign of each gradient, whatever its size: also of what is only rounding, which a GPU has more of.
      expect(Math.abs(loss - plain.recorder.losses[i]!)).toBeLessThan(
        testDevice === 'cpu' ? 1e-3 : 1e-2,
      ),
    );
    for (const each of [learn, plain]) each.dispose();
    model.dispose();
    twin.dispose();
  });

  test('it can begin between two fits, with averages that are there, and end', async () => {
    const model = new nn.Sequential(
      new nn.Conv2d(3, 4, 3),
      new nn.Flatten(),
      new nn.Linear(784, 2),
    );
    const learn = new Learner({ train: images() }, model, {
      ...{ lossFunc: nn.crossEntropy, optFunc: Nadam, progress: false },
    });
    await learn.fit(1);
    const [p] = model.parameters();
    const state = learn.opt!.state.get(p!);
    const before = [p!.strides, state.sqr_avg!.strides];
    const explained = learn.opt!.explain();
    expect(explained).toContain('in one pass');
    await learn.toChannelsLast().fit(1);
    expect([p!.strides, state.sqr_avg!.strides]).toEqual([last([4, 3, 3, 3]), last([4, 3, 3, 3])]);
    expect(learn.opt!.explain()).toBe(explained);
    await learn.toContiguous().fit(1);
    expect([p!.strides, state.sqr_avg!.strides]).toEqual(before);
    expect(learn.opt!.explain()).toBe(explained);
    learn.dispose();
    model.dispose();
  });
});

test('toFp32 in the middle of a fit ends casting at once', async () => {
  const learn = tinyLearner();
  learn.toBf16();
  await learn.fit(1, { cbs: [new Callback({ afterBatch: (each) => void each.toFp32() })] });
  expect(learn.autocast).toBeUndefined();
  expect((await learn.getPreds({ dl: learn.dls.train })).preds.dtype).toBe('float32');
});

test.each(['beforeStep', 'beforeBackward'] as const)(
  'in float16, a callback may cancel a batch in %s, before the scaler or after it',
  async (event) => {
    const Cancel = event === 'beforeStep' ? CancelStepException : CancelBackwardException;
    for (const order of [0, 20]) {
      const learn = tinyLearner();
      const cancel = new Callback({
        [event](each: Learner) {
          if (each.trainIter === 1) throw new Cancel();
        },
      });
      await learn.toFp16({ initScale: 8 }).fit(1, { cbs: [at(order, cancel)] });
      expect(learn.recorder.losses).toHaveLength(4);
    }
  },
);
