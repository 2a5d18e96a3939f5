import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Adam,
  GradScaler,
  Lookahead,
  Nadam,
  OptimWrapper,
  SGD,
  memory,
  tensor,
  torchOptim,
  type GradScalerStateDict,
  type Optimizer,
  type Tensor,
} from '../../lib/index';
import { decodeTensor, type Encoded } from '../support/encoded';
import { thrown } from '../support/tensors';
import { expectClose, param, values } from './support';

// What PyTorch gave for the same inputs; amp.py beside it says how.
const golden = JSON.parse(readFileSync(join(__dirname, '../golden/amp.json'), 'utf8')) as {
  scaler: {
    start: Encoded;
    steps: { x: Encoded; blow: number | string; scale: number; tracker: number; w: Encoded }[];
    state: GradScalerStateDict;
  };
};
const goldenOptions = { initScale: 8, growthFactor: 3, backoffFactor: 0.25, growthInterval: 2 };

/** Takes the golden's steps from `from` on, and compares all numbers after each. */
function follow(scaler: GradScaler, w: Tensor, opt: Optimizer, from: number, to: number): void {
  for (const { x, blow, scale, tracker, w: wanted } of golden.scaler.steps.slice(from, to)) {
    scaler.scale(w.mul(decodeTensor(x)).sum().mul(Number(blow))).backward();
    expect(took(scaler, opt)).toBe(Number.isFinite(Number(blow)));
    scaler.update();
    opt.zeroGrad();
    expect(scaler.getScale()).toBe(scale);
    expect(scaler.stateDict()).toMatchObject({ scale, _growth_tracker: tracker });
    expectClose(w, wanted.data.map(Number));
  }
}

/** Whether it took the step. */
function took(scaler: GradScaler, opt: Optimizer): boolean {
  scaler.step(opt);
  return !scaler.foundInf(opt);
}

const begin = () => {
  const w = decodeTensor(golden.scaler.start).requiresGrad_();
  return [w, SGD(w, { lr: 0.1, mom: 0.9 })] as const;
};

test('scales, steps and overflows are those of torch.amp.GradScaler', () => {
  const [w, opt] = begin();
  using scaler = new GradScaler(goldenOptions);
  follow(scaler, w, opt, 0, 10);
  expect(scaler.stateDict()).toEqual(golden.scaler.state);
  opt.dispose();
});

test('a state that is loaded goes on where it was saved', () => {
  const [w, opt] = begin();
  using first = new GradScaler(goldenOptions);
  follow(first, w, opt, 0, 6);
  using second = new GradScaler();
  second.loadStateDict(first.stateDict());
  follow(second, w, opt, 6, 8);
  // Also one that is in use.
  second.loadStateDict({ ...second.stateDict(), scale: 1, _growth_tracker: 0 });
  expect(second.stateDict()).toMatchObject({ scale: 1, _growth_tracker: 0 });
  second.loadStateDict({ ...second.stateDict(), scale: 4.5, _growth_tracker: 1 });
  follow(second, w, opt, 8, 10);
  opt.dispose();
});

const optimizers: Record<string, (p: Tensor) => Optimizer> = {
  Nadam: (p) => Nadam(p, { lr: 0.1 }),
  'Nadam without kernels': (p) => Nadam(p, { lr: 0.1, fused: false }),
  Lookahead: (p) => new Lookahead(Adam(p, { lr: 0.1 }), { k: 2 }),
  'an OptimWrapper': (p) => new OptimWrapper(p, torchOptim.AdamW, { lr: 0.1 }),
};

test.each(Object.entries(optimizers))(
  'an overflow leaves weights and state of %s as they were, and the next step is as without it',
  (_, make) => {
    const run = (losses: readonly number[]) => {
      const p = tensor([1, -2, 3], { requiresGrad: true });
      const opt = make(p);
      using scaler = new GradScaler({ initScale: 16 });
      const steps = losses.map((factor) => {
        const before = values(p);
        scaler.scale(p.square().sum().mul(factor)).backward();
        const stepped = took(scaler, opt);
        if (!stepped) expect(values(p)).toEqual(before);
        scaler.update();
        opt.zeroGrad();
        return stepped;
      });
      const state = Object.values(opt.stateDict().state[0]!).map((value) =>
        typeof value === 'object' ? values(value as Tensor) : value,
      );
      opt.dispose();
      return { steps, end: [values(p), state] };
    };
    const plain = run([1, 1, 1]);
    const planted = run([Infinity, 1, NaN, 1, 1]);
    expect(planted.steps).toEqual([false, true, false, true, true]);
    expect(planted.end).toEqual(plain.end);
  },
);

test('one infinite gradient among many is found, and only what has a gradient is looked at', () => {
  const params = [param([1, 2], [1, 1]), param([3]), param([4, 5], [1, Infinity])];
  const opt = SGD(params, { lr: 1 });
  using scaler = new GradScaler({ initScale: 2 });
  scaler.scale(tensor(1));
  scaler.unscale_(opt);
  expect(scaler.foundInf(opt)).toBe(true);
  expect(values(params[0]!.grad!)).toEqual([0.5, 0.5]);
  scaler.step(opt);
  expect(values(params[0]!)).toEqual([1, 2]);
  scaler.update();
  expect(scaler.getScale()).toBe(1);
  opt.dispose();
});

test('gradients of several dtypes are unscaled, and once only', () => {
  const params = [
    param([1], [8], 'float32'),
    param([1], [8], 'float64'),
    param([1], [8], 'bfloat16'),
  ];
  const opt = SGD(params, { lr: 1 });
  using scaler = new GradScaler({ initScale: 4 });
  scaler.scale(tensor(1));
  scaler.unscale_(opt);
  expect(params.map((p) => values(p.grad!))).toEqual([[2], [2], [2]]);
  scaler.step(opt);
  expect(params.map(values)).toEqual([[-1], [-1], [-1]]);
  opt.dispose();
});

test('several optimizers share a scale: one overflow makes it smaller, the others step', () => {
  const [a, b] = [param([1], [2]), param([1], [NaN])];
  const [first, second] = [SGD(a, { lr: 1 }), SGD(b, { lr: 1 })];
  using scaler = new GradScaler({ initScale: 2 });
  scaler.scale(tensor(1));
  expect([took(scaler, first), took(scaler, second)]).toEqual([true, false]);
  scaler.update();
  expect([values(a), values(b), scaler.getScale()]).toEqual([[0], [1], 1]);
  first.dispose();
  second.dispose();
});

test('a scaler that is off changes nothing, and steps always', () => {
  const p = param([1], [Infinity]);
  const opt = SGD(p, { lr: 1 });
  const scaler = new GradScaler({ enabled: false });
  const loss = tensor(3);
  expect(scaler.scale(loss)).toBe(loss);
  scaler.unscale_(opt);
  scaler.step(opt);
  scaler.update();
  expect([values(p), scaler.getScale(), scaler.stateDict()]).toEqual([[-Infinity], 1, {}]);
  scaler.loadStateDict({});
  opt.dispose();
});

test('update sets a scale that it is given', () => {
  using scaler = new GradScaler();
  scaler.scale(tensor(1));
  scaler.update(3);
  expect(scaler.getScale()).toBe(3);
});

test('nothing of a scaler belongs to the scope of a batch, and dispose frees it', () => {
  const opt = SGD(param([1], [1]), { lr: 1 });
  const before = memory().tensors;
  const scaler = new GradScaler();
  scaler.scale(tensor(1)).dispose();
  scaler.unscale_(opt);
  // Its argument is still there, and the flag of the optimizer; scale, tracker.
  expect(memory().tensors - before).toBe(1 + 1 + 2);
  scaler.dispose();
  expect(memory().tensors - before).toBe(1);
  expect(scaler.getScale()).toBe(2 ** 16);
  opt.dispose();
});

describe('what is refused', () => {
  const opt = () => SGD(param([1], [1]), { lr: 1 });
  const started = () => {
    const scaler = new GradScaler();
    scaler.scale(tensor(1));
    return scaler;
  };
  const twice = (second: (scaler: GradScaler, o: Optimizer) => void) => () => {
    const [scaler, o] = [started(), opt()];
    scaler.step(o);
    second(scaler, o);
  };
  test.each<[string, () => unknown]>([
    ['step: expected a loss that was scaled before', () => new GradScaler().step(opt())],
    ['update: expected a loss that was scaled before', () => new GradScaler().update()],
    ['update: expected a step since the last update', () => started().update()],
    ['foundInf: expected an optimizer that was unscaled', () => started().foundInf(opt())],
    ['step: expected one step of an optimizer between two updates', twice((s, o) => s.step(o))],
    ['unscale_: expected an optimizer whose gradients are scaled', twice((s, o) => s.unscale_(o))],
    [
      'step: expected an optimizer whose parameters have gradients',
      () => started().step(SGD(param([1]), { lr: 1 })),
    ],
    [
      'step: expected gradients of float32, got float16',
      () => started().step(SGD(param([1], [1], 'float16'), { lr: 1 })),
    ],
    ['step: expected an optimizer, got 3', () => started().step(3 as never)],
    ['scale: expected a Tensor, got 3', () => new GradScaler().scale(3 as never)],
    [
      'GradScaler: growthFactor: expected a number above 1, got 1',
      () => new GradScaler({ growthFactor: 1 }),
    ],
    [
      'backoffFactor: expected a number between 0 and 1, got 1',
      () => new GradScaler({ backoffFactor: 1 }),
    ],
    [
      'growthInterval: expected a positive integer, got 0',
      () => new GradScaler({ growthInterval: 0 }),
    ],
    ['initScale: expected a positive number, got NaN', () => new GradScaler({ initScale: NaN })],
    ['update: expected a positive number, got 0', () => started().update(0)],
    [
      "unknown option 'init_scale' (did you mean 'initScale'?)",
      () => new GradScaler({ init_scale: 2 } as object),
    ],
    [
      'loadStateDict: expected the state of an enabled scaler, got {}',
      () => new GradScaler().loadStateDict({}),
    ],
  ])('%s', (message, run) => {
    const error = thrown(run);
    expect(error.message).toContain(message);
    expect(error.code).toMatch(/^ERR_TORCH_(ARGUMENT|UNKNOWN_OPTION)$/);
  });
});
