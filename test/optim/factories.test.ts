import * as torch from '../../lib';
import {
  Adam,
  AdamW,
  Adan,
  averageGrad,
  Lamb,
  Larc,
  larcLayerLr,
  Lion,
  Lookahead,
  Nadam,
  QHAdam,
  RAdam,
  Ranger,
  RMSProp,
  SGD,
  StableAdam,
  stableAdamStep,
  TorchNadam,
  type OptFunc,
  type ParamState,
} from '../../lib/optim';
import { tensor } from '../../lib/tensor/create';
import type { DType } from '../../lib/tensor/dtype';
import { memory } from '../../lib/tensor/scope';
import { expectClose, param, values } from './support';

const adam = { lr: 1, mom: 0.9, sqr_mom: 0.99, eps: 1e-5, wd: 0 };
const stats = ['averageGrad({ dampening: true })', 'averageSqrGrad()', 'stepStat'];

// The defaults are fastai's, then those of PyTorch or of the papers.
const table: [OptFunc, Record<string, number>, string[]][] = [
  [SGD, { lr: 1, wd: 0 }, ['sgdStep']],
  [RMSProp, { lr: 1, sqr_mom: 0.99, eps: 1e-8, wd: 0 }, ['averageSqrGrad()', 'rmsPropStep']],
  [Adam, { ...adam, wd: 0.01 }, [...stats, 'adamStep']],
  [Nadam, { ...adam, eps: 1e-8, wd: 0.01 }, [...stats, 'nadamStep']],
  [RAdam, { ...adam, beta: 0 }, [...stats, 'radamStep']],
  [
    QHAdam,
    { ...adam, mom: 0.999, sqr_mom: 0.999, nu_1: 0.7, nu_2: 1, eps: 1e-8 },
    [...stats, 'qhadamStep'],
  ],
  [
    Larc,
    { lr: 1, mom: 0.9, trust_coeff: 0.02, eps: 1e-8, wd: 0 },
    ['averageGrad()', 'larcLayerLr()', 'larcStep'],
  ],
  [Lamb, adam, [...stats, 'lambStep']],
  [Ranger, { ...adam, mom: 0.95, eps: 1e-6, wd: 0.01, beta: 0 }, [...stats, 'radamStep']],
  [AdamW, { ...adam, sqr_mom: 0.999, eps: 1e-8, wd: 0.01 }, [...stats, 'adamStep']],
  [Lion, { lr: 1, mom: 0.9, sqr_mom: 0.99, wd: 0 }, ['lionStep', 'lionAverage']],
  [
    Adan,
    { lr: 1, mom: 0.98, diff_mom: 0.92, sqr_mom: 0.99, eps: 1e-8, wd: 0 },
    ['stepStat', 'averageGrad({ dampening: true })', 'averageDiff', 'adanStep'],
  ],
  [StableAdam, { ...adam, eps: 1e-8, wd: 0.01 }, [...stats, 'stableAdamStep']],
];

test.each(table)('%p has its defaults and callbacks', (factory, hypers, callbacks) => {
  const opt = factory(param([1]), { lr: 1 });
  expect(opt.hypers).toEqual([hypers]);
  expect(opt.cbs.map(({ name }) => name)).toEqual(['weightDecay', ...callbacks]);
});

test("TorchNadam has PyTorch's defaults, its decay among them", () => {
  const opt = TorchNadam(param([1]), { lr: 1 });
  expect(opt.hypers).toEqual([
    { lr: 1, mom: 0.9, sqr_mom: 0.999, eps: 1e-8, wd: 0, momentum_decay: 4e-3 },
  ]);
  expect(opt.cbs.map(({ name }) => name)).toEqual([
    'l2Reg',
    ...stats,
    'muProduct',
    'torchNadamStep',
  ]);
});

test('with momentum RMSProp averages the gradient, without it Larc does not', () => {
  expect(RMSProp(param([1]), { lr: 1, mom: 0.9 }).cbs.map(({ name }) => name)).toEqual([
    'weightDecay',
    'averageGrad()',
    'averageSqrGrad()',
    'rmsPropStep',
  ]);
  expect(Larc(param([1]), { lr: 1, mom: 0, clip: false }).cbs.map(({ name }) => name)).toEqual([
    'weightDecay',
    'larcLayerLr({ clip: false })',
    'larcStep',
  ]);
});

const all = [...table.map(([factory]) => factory), TorchNadam];

test.each(all)('%p refuses an unknown option, and a missing learning rate', (factory) => {
  const wrong = { lr: 1, betas: [0.9, 0.99] };
  expect(() => factory(param([1]), wrong)).toThrow(
    `${factory.name}: unknown option 'betas' (did you mean 'mom, sqr_mom'?)`,
  );
  expect(() => factory(param([1]), {} as { lr: number })).toThrow(
    `${factory.name}: expected a learning rate`,
  );
});

test.each(all)('%p adds an L2 penalty with decouple_wd false', (factory) => {
  if (factory === AdamW) return;
  const opt = factory(param([1]), { lr: 1, decouple_wd: false });
  expect(opt.cbs[0]!.name).toBe('l2Reg');
});

test('AdamW is always decoupled', () => {
  expect(() => AdamW(param([1]), { lr: 1, decouple_wd: false } as { lr: number })).toThrow(
    "AdamW: unknown option 'decouple_wd'",
  );
});

test.each(all)('%p makes no tensors from the third step on, and frees its state', (factory) => {
  const params = [param([1, 2], [1, -1]), param([3], [0.5])];
  const before = memory().tensors;
  const opt = factory(params, { lr: 0.1 });
  const counts = [1, 2, 3, 4].map(() => {
    opt.step();
    return memory().tensors;
  });
  expect(new Set(counts.slice(1)).size).toBe(1);
  opt.dispose();
  expect(memory().tensors).toBe(before);
});

test.each(
  all.flatMap((factory) =>
    (['float16', 'bfloat16'] as const).map((dtype): [OptFunc, DType] => [factory, dtype]),
  ),
)('%p steps %s parameters as float32 ones', (factory, dtype) => {
  const [half, single] = [param([1, 2], [0.5, -0.25], dtype), param([1, 2], [0.5, -0.25])];
  for (const p of [half, single]) {
    const opt = factory(p, { lr: 0.0625 });
    for (let i = 0; i < 3; i++) opt.step();
    for (const key of ['grad_avg', 'sqr_avg'] as const)
      expect(opt.state.get(p)[key]?.dtype ?? 'float32').toBe('float32');
    opt.dispose();
  }
  expect(half.dtype).toBe(dtype);
  expectClose(half, values(single), 2e-2); // bfloat16 has eight bits
});

test.each(all)('%p takes empty tensors and zero gradients', (factory) => {
  const [empty, still] = [param([], []), param([0], [0])];
  const opt = factory([empty, still], { lr: 0.1 });
  opt.step();
  opt.step();
  expect([empty.shape, values(still)]).toEqual([[0], [0]]);
  opt.dispose();
});

test('all are exported at the top', () => {
  expect(all.filter((factory) => !Object.values<unknown>(torch).includes(factory))).toEqual([]);
});

test("RMSProp's eps reaches its step", () => {
  const p = param([1], [1], 'float64');
  const opt = RMSProp(p, { lr: 1, eps: 0.9 });
  opt.step();
  expectClose(p, [1 - 1 / (0.1 + 0.9)], 1e-14);
  opt.dispose();
});

test('larcLayerLr is one callback for each option', () => {
  expect(larcLayerLr()).toBe(larcLayerLr({ clip: true }));
  expect(larcLayerLr()).not.toBe(larcLayerLr({ clip: false }));
  expect(() => larcLayerLr({ dampening: true } as object)).toThrow(
    "larcLayerLr: unknown option 'dampening'",
  );
  expect(larcLayerLr().makes).toEqual(['local_lr']);
  expect(averageGrad().needs).toEqual([]);
});

test('StableAdam divides a step by what is above 1 in the size of the update', () => {
  const hyper = { lr: 1, mom: 0.9, sqr_mom: 0.99, eps: 0 };
  const [small, large] = [0.1, 4].map((g) => {
    const p = param([0], [g], 'float64');
    const one = () => tensor([1], { dtype: 'float64' });
    const sqr_avg = one().mul(1 - 0.99); // debiased, 1
    stableAdamStep(p as never, { step: 1, grad_avg: one().mul(0.1), sqr_avg }, hyper);
    return values(p)[0]!;
  });
  expectClose([small!, large!], [-1, -1 / 4], 1e-14);
});

test('the two NAdams differ from the first step on', () => {
  const [a, b] = [param([1], [0.1], 'float64'), param([1], [0.1], 'float64')];
  const ours = Nadam(a, { lr: 0.1, wd: 0, sqr_mom: 0.999 });
  const theirs = TorchNadam(b, { lr: 0.1 });
  ours.step();
  theirs.step();
  const [mu, next] = [1, 2].map((step) => 0.9 * (1 - 0.5 * 0.96 ** (step * 4e-3)));
  expectClose(a, [1 - 0.1 * 1.9], 1e-6);
  expectClose(b, [1 - 0.1 * (1 + (next! * 0.1) / (1 - mu! * next!))], 1e-6);
  ours.dispose();
  theirs.dispose();
});

describe('Lookahead', () => {
  test('takes over the optimizer that it wraps', () => {
    const [body, head] = [param([1], [1]), param([1], [1])];
    const inner = SGD([[body], [head]], { lr: [0.1, 0.2], mom: 0.9, fused: false });
    inner.state.get(body).force_train = true;
    inner.freezeTo(1);
    inner.step();
    const { grad_avg } = inner.state.get(head);
    const opt = new Lookahead(inner);
    expect(opt.hypers.map(({ lr }) => lr)).toEqual([0.1, 0.2]);
    expect(opt.state.get(head).grad_avg).toBe(grad_avg);
    expect([opt.frozenIdx, opt.fused, opt.k, opt.alpha]).toEqual([1, false, 6, 0.5]);
    expect([body.requiresGrad, grad_avg!.isDisposed]).toEqual([true, false]);
    expect(() => inner.step()).toThrow('this optimizer was disposed');
    opt.dispose();
    expect(grad_avg!.isDisposed).toBe(true);
  });

  test('goes back to the slow weights at each kth step', () => {
    const [p, idle] = [param([1], [1]), param([5])];
    const opt = new Lookahead(SGD([p, idle], { lr: 0.5 }), { k: 2 });
    const seen = [1, 2, 3, 4].map(() => {
      opt.step();
      return values(p)[0];
    });
    expect(seen).toEqual([0.5, 0.5, 0, 0]);
    expect(values(idle)).toEqual([5]);
    opt.dispose();
  });

  test('resumes from its state dict in the middle of a round', () => {
    const make = () => {
      const p = param([1, 2], [1, -1]);
      return { p, opt: Ranger(p, { lr: 0.1, k: 4 }) };
    };
    const [one, other] = [make(), make()];
    for (let i = 0; i < 6; i++) one.opt.step();
    other.p.copy_(one.p);
    other.opt.loadStateDict(one.opt.stateDict());
    for (const { opt } of [one, other]) for (let i = 0; i < 6; i++) opt.step();
    expect(values(other.p)).toEqual(values(one.p));
    expect(other.opt.state.get(other.p).count).toBe(12);
    one.opt.dispose();
    other.opt.dispose();
  });

  test("gives and takes the layout of fastai's Lookahead", () => {
    const make = () => {
      const groups = [[param([1], [1]), param([2], [-1])], [param([3], [1])]];
      return new Lookahead(Adam(groups, { lr: 0.1 }), { k: 4 });
    };
    const [one, other, fresh] = [make(), make(), make()];
    for (let i = 0; i < 3; i++) one.step();
    const saved = one.toFastai();
    expect(saved.count).toBe(3);
    expect(saved.slow_weights!.map((group) => group.map(values))).toEqual([[[1], [2]], [[3]]]);
    expect(Object.keys(saved.state[0]!)).toEqual(['grad_avg', 'sqr_avg', 'step']);
    other.fromFastai(saved);
    const [{ count, slow_weights, step }] = other.allParams(1).map(([, , state]) => state) as [
      ParamState,
    ];
    expect([count, values(slow_weights!), step]).toEqual([3, [3], 3]);
    expect(fresh.toFastai()).toMatchObject({ count: 0, slow_weights: null });
    fresh.fromFastai({ state: [{}, {}, {}], hypers: one.hypers });
    expect(fresh.allParams().map(([, , state]) => state)).toEqual([{}, {}, {}]);
    for (const opt of [one, other, fresh]) opt.dispose();
  });

  test('refuses an optimizer that steps in its own way', () => {
    const opt = Ranger(param([1], [1]), { lr: 1 });
    expect(() => new Lookahead(opt)).toThrow(
      'Lookahead: expected an optimizer made of callbacks alone, got Lookahead, which steps in its own way',
    );
    opt.dispose();
  });

  test('explains its own step, too', () => {
    const opt = Ranger(param([1]), { lr: 1, k: 3 });
    expect(opt.explain()).toMatch(/^step\(\) .*radamStep.*; every 3 steps, Lookahead$/);
  });

  test.each([0, 1.5, -1, NaN])('refuses k = %p, and leaves the optimizer alone', (k) => {
    const inner = SGD(param([1], [1]), { lr: 1 });
    expect(() => new Lookahead(inner, { k })).toThrow(
      `Lookahead: expected a positive integer k, got ${k}`,
    );
    inner.step();
  });
});
