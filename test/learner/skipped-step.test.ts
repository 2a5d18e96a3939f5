import {
  Callback,
  GradientClip,
  manualSeed,
  Nadam,
  OptimWrapper,
  Ranger,
  Tensor,
  torchOptim,
  type LearnerOptions,
} from '../../lib/index';
import { at, tinyLearner, tinyModel, weights } from './tiny';

describe('a step in float16 whose gradients overflowed', () => {
  // Trains the same model twice with two overflows; with `mind`, the second hears of steps that are left out.
  async function both(options: Partial<LearnerOptions>, mind: Callback) {
    manualSeed(6);
    const model = tinyModel();
    const blow = new Callback({
      beforeBackward: (learn) => {
        if ([2, 5].includes(learn.trainIter)) learn.lossGrad = learn.lossGrad.mul(Infinity);
      },
    });
    const reads: number[] = [];
    const item = jest.spyOn(Tensor.prototype, 'item');
    const watch = [
      at(-100, new Callback({ afterBackward: () => void item.mockClear() })),
      at(100, new Callback({ afterStep: () => void reads.push(item.mock.calls.length) })),
    ];
    const learners = [];
    try {
      for (const [each, cbs] of [
        [model.clone(), []],
        [model, [mind]],
      ] as const) {
        const learn = tinyLearner(
          { ...options, lr: 0.05, cbs: [blow, new GradientClip(0.5)] },
          each,
        );
        learn.toFp16({ initScale: 64, growthInterval: 2 });
        manualSeed(9);
        await learn.fit(2, { cbs: [...watch, ...cbs] });
        learners.push(learn);
      }
    } finally {
      item.mockRestore();
    }
    const [ours, minded] = learners.map((learn) => [
      ...learn.recorder.losses,
      ...weights(learn),
      ...learn.opt!.paramLists.flat().map((p) => learn.opt!.state.get(p).step ?? 0),
    ]);
    const explained = learners.map(
      (learn) => learn.opt!.explain().split('; with a GradScaler, ')[1],
    );
    for (const learn of learners) learn.dispose();
    return { ours, minded, reads: [reads.slice(0, 8), reads.slice(8)], explained };
  }
  const heard: number[] = [];
  const minds: [string, Callback][] = [
    [
      'a callback hears of it',
      new Callback({ afterCancelStep: (learn) => void heard.push(learn.trainIter) }),
    ],
    [
      'a callback comes after the scaler',
      at(20, new Callback({ beforeStep: (learn) => void heard.push(-learn.trainIter) })),
    ],
  ];

  test.each(minds)('is left out by the device, as it is where %s', async (_, mind) => {
    heard.length = 0;
    const { ours, minded, reads, explained } = await both({ optFunc: Nadam }, mind);
    expect(ours).toEqual(minded);
    expect(ours!.at(-1)).toBe(6); // of 8 batches
    expect(heard).toEqual(heard[0] === 2 ? [2, 5] : [-0, -1, -3, -4, -6, -7]);
    // The first step makes the state.
    expect(reads[0]).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
    expect(Math.min(...reads[1]!)).toBe(1);
    expect(explained).toEqual([
      'the device leaves out a step whose gradients overflowed',
      undefined,
    ]);
  });

  const waiting: [string, LearnerOptions['optFunc'], string][] = [
    ['Ranger', Ranger, 'Lookahead decides on its steps itself; every 6 steps, Lookahead'],
    [
      'callbacks alone',
      (params, { lr }) => Nadam(params, { lr, fused: false }),
      'the callbacks run, as fused is false',
    ],
    [
      'an optimizer of libtorch',
      (params, { lr }) => new OptimWrapper(params, torchOptim.AdamW, { lr }),
      'OptimWrapper decides on its steps itself',
    ],
  ];
  test.each(waiting)('is waited for with %s', async (_, optFunc, reason) => {
    const { ours, minded, reads, explained } = await both({ optFunc: optFunc! }, minds[0]![1]);
    expect(ours).toEqual(minded);
    expect(reads[0]).toEqual(Array(8).fill(1));
    expect(explained[0]).toBe(`it waits for the device, as ${reason}`);
  });
});
