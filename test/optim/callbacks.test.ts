import {
  adamStep,
  adanStep,
  averageDiff,
  averageGrad,
  averageSqrGrad,
  l2Reg,
  lambStep,
  larcLayerLr,
  larcStep,
  lionAverage,
  lionStep,
  momentumStep,
  muProduct,
  nadamStep,
  Optimizer,
  qhadamStep,
  radamStep,
  rmsPropStep,
  sgdStep,
  stableAdamStep,
  statCallback,
  stepCallback,
  stepStat,
  torchNadamStep,
  weightDecay,
  type Callback,
  type DeclaredCallback,
  type GradParam,
} from '../../lib/optim';
import { tensor } from '../../lib/tensor/create';
import { isGradEnabled } from '../../lib/tensor/autograd';
import type { DType } from '../../lib/tensor/dtype';
import { expectClose, param, values } from './support';

const hyper = { lr: 0.1, wd: 0.5, mom: 0.9, sqr_mom: 0.99, eps: 1e-5 };
const parameter = (data: number[], grad: number[]): GradParam =>
  param(data, grad, 'float64') as GradParam;

test('callbacks carry their declaration and are frozen', () => {
  expect([nadamStep.kind, nadamStep.name]).toEqual(['step', 'nadamStep']);
  expect(nadamStep.state).toEqual(['step', 'grad_avg', 'sqr_avg']);
  expect(nadamStep.hypers).toEqual(['lr', 'mom', 'sqr_mom', 'eps']);
  expect(
    [weightDecay, l2Reg, averageGrad(), averageSqrGrad(), adamStep, nadamStep].map(
      ({ defaults }) => defaults,
    ),
  ).toEqual([{ wd: 0 }, { wd: 0 }, { mom: 0.9 }, { sqr_mom: 0.99 }, { eps: 1e-5 }, { eps: 1e-8 }]);
  expect(Object.isFrozen(nadamStep)).toBe(true);
  expect(Object.isFrozen(nadamStep.defaults)).toBe(true);
});

test.each<[DeclaredCallback, string[], string[], Record<string, number>]>([
  [weightDecay, [], [], { wd: 0 }],
  [averageGrad(), [], ['grad_avg'], { mom: 0.9 }],
  [rmsPropStep, ['sqr_avg'], [], { eps: 1e-8 }],
  [radamStep, ['step', 'grad_avg', 'sqr_avg'], [], { eps: 1e-5, beta: 0 }],
  [qhadamStep, ['step', 'grad_avg', 'sqr_avg'], [], { eps: 1e-8 }],
  [larcLayerLr(), [], ['local_lr'], { trust_coeff: 0.02, wd: 0, eps: 1e-8 }],
  [larcStep, ['local_lr'], [], {}],
  [lambStep, ['step', 'grad_avg', 'sqr_avg'], [], { eps: 1e-6 }],
  [muProduct, ['step'], ['mu_product'], { momentum_decay: 4e-3 }],
  [
    torchNadamStep,
    ['step', 'grad_avg', 'sqr_avg', 'mu_product'],
    [],
    { eps: 1e-8, momentum_decay: 4e-3 },
  ],
  [lionStep, [], [], {}],
  [lionAverage, [], ['grad_avg'], { sqr_mom: 0.99 }],
  [averageDiff, ['step'], ['diff_avg', 'sqr_avg', 'last_grad'], { diff_mom: 0.92, sqr_mom: 0.99 }],
  [adanStep, ['step', 'grad_avg', 'diff_avg', 'sqr_avg'], [], { eps: 1e-8 }],
  [stableAdamStep, ['step', 'grad_avg', 'sqr_avg'], [], { eps: 1e-8 }],
])(
  '$name declares what it needs and makes, and its defaults',
  (callback, needs, makes, defaults) => {
    expect([callback.needs, callback.makes, callback.defaults]).toEqual([needs, makes, defaults]);
  },
);

test('rmsPropStep and larcStep go by grad_avg where it is', () => {
  const one = (value: number) => tensor([value], { dtype: 'float64' });
  const seen = [{}, { grad_avg: one(5) }].flatMap((state) => {
    const [p, q] = [parameter([1], [2]), parameter([1], [2])];
    rmsPropStep(p, { ...state, sqr_avg: one(4) }, { lr: 0.1, eps: 0 });
    larcStep(q, { ...state, local_lr: one(0.1) }, {});
    return [...values(p), ...values(q)];
  });
  expectClose(seen, [0.9, 0.8, 0.75, 0.5], 1e-15);
});

test('radamStep does not divide before the variance is known', () => {
  const p = parameter([1], [2]);
  const state = { step: 1, grad_avg: tensor([0.2]), sqr_avg: tensor([100]) };
  radamStep(p, state, { ...hyper, beta: 0 });
  expectClose(p, [1 - 0.1 * 2], 1e-7);
});

test('lambStep goes by lr alone where the parameter is 0, and limits the ratio to 10', () => {
  const state = () => ({
    step: 1,
    grad_avg: tensor([0.1], { dtype: 'float64' }), // debiased 1, as is sqr_avg
    sqr_avg: tensor([1 - 0.99], { dtype: 'float64' }),
  });
  const seen = [0, 0.5, 40].map((start) => {
    const p = parameter([start], [1]);
    lambStep(p, state(), { ...hyper, eps: 0 });
    return values(p)[0]!;
  });
  expectClose(seen, [-0.1, 0.5 - 0.1 * 0.5, 40 - 0.1 * 10], 1e-12);
});

test('a factory gives the same callback for the same options', () => {
  expect(averageGrad()).toBe(averageGrad({ dampening: false }));
  expect(averageGrad({ dampening: true })).toBe(averageGrad({ dampening: true }));
  expect(averageGrad()).not.toBe(averageGrad({ dampening: true }));
  expect(averageSqrGrad()).toBe(averageSqrGrad({ dampening: true }));
  expect(averageGrad({ dampening: true }).name).toBe('averageGrad({ dampening: true })');
});

test('a factory refuses options that it does not know', () => {
  expect(() => averageGrad({ damp: true } as object)).toThrow("averageGrad: unknown option 'damp'");
});

test('a factory in the list of callbacks is refused', () => {
  expect(() => new Optimizer(param([1]), [averageGrad as unknown as Callback], { lr: 1 })).toThrow(
    'got averageGrad, which makes one; write averageGrad()',
  );
  expect(() => new Optimizer(param([1]), [3 as unknown as Callback])).toThrow(
    'expected callbacks, which are functions, got 3',
  );
});

test('weightDecay multiplies by 1 - lr * wd', () => {
  const p = parameter([1, 2], [1, 1]);
  weightDecay(p, {}, hyper);
  expectClose(p, [0.95, 1.9], 1e-15);
});

test('l2Reg adds wd * p to the gradient', () => {
  const p = parameter([1, 2], [1, 1]);
  l2Reg(p, {}, hyper);
  expectClose(p.grad, [1.5, 2], 1e-15);
  expect(values(p)).toEqual([1, 2]);
});

test.each([weightDecay, l2Reg])(
  '$name leaves a parameter alone whose do_wd is false, or when wd is 0',
  (decay) => {
    const p = parameter([1, 2], [1, 1]);
    decay(p, { do_wd: false }, hyper);
    decay(p, {}, { lr: 0.1, wd: 0 });
    expect([values(p), values(p.grad)]).toEqual([
      [1, 2],
      [1, 1],
    ]);
    decay(p, { do_wd: true }, hyper);
    expect([values(p), values(p.grad)]).not.toEqual([
      [1, 2],
      [1, 1],
    ]);
  },
);

test('averageGrad adds up with and without dampening', () => {
  const p = parameter([0], [2]);
  const opt = (dampening: boolean) => new Optimizer(p, averageGrad({ dampening }));
  const [plain, damped] = [opt(false), opt(true)];
  for (let i = 0; i < 2; i++) for (const each of [plain, damped]) each.step();
  expectClose(plain.state.get(p).grad_avg!, [0.9 * 2 + 2], 1e-15);
  expectClose(damped.state.get(p).grad_avg!, [0.9 * 0.2 + 0.2], 1e-15);
  plain.dispose();
  damped.dispose();
});

test('averageSqrGrad adds up with and without dampening', () => {
  const p = parameter([0], [2]);
  const opt = (dampening: boolean) =>
    new Optimizer(p, averageSqrGrad({ dampening }), { sqr_mom: 0.5 });
  const [plain, damped] = [opt(false), opt(true)];
  for (let i = 0; i < 2; i++) for (const each of [plain, damped]) each.step();
  expectClose(plain.state.get(p).sqr_avg!, [0.5 * 4 + 4], 1e-15);
  expectClose(damped.state.get(p).sqr_avg!, [0.5 * 2 + 2], 1e-15);
  plain.dispose();
  damped.dispose();
});

test('stepStat counts from 1', () => {
  const p = parameter([0], [2]);
  expect(stepStat(p, {}, {})).toEqual({ step: 1 });
  expect(stepStat(p, { step: 4 }, {})).toEqual({ step: 5 });
});

test('sgdStep and momentumStep go down the gradient and its average', () => {
  const p = parameter([1], [2]);
  sgdStep(p, {}, hyper);
  expectClose(p, [0.8], 1e-15);
  momentumStep(p, { grad_avg: tensor([5], { dtype: 'float64' }) }, hyper);
  expectClose(p, [0.3], 1e-15);
});

test('adamStep and nadamStep give their formulas', () => {
  const state = () => ({
    step: 2,
    grad_avg: tensor([0.3], { dtype: 'float64' }),
    sqr_avg: tensor([0.04], { dtype: 'float64' }),
  });
  const [d1, denom] = [1 - 0.9 ** 2, Math.sqrt(0.04 / (1 - 0.99 ** 2)) + 1e-5];
  const [p, q] = [parameter([1], [2]), parameter([1], [2])];
  adamStep(p, state(), hyper);
  expectClose(p, [1 - ((0.1 / d1) * 0.3) / denom], 1e-14);
  nadamStep(q, state(), hyper);
  expectClose(q, [1 - ((0.1 / d1) * (0.9 * 0.3 + 0.1 * 2)) / denom], 1e-14);
});

test('a step does not change the averages that it reads', () => {
  const p = parameter([1], [2]);
  const state = {
    step: 1,
    grad_avg: tensor([0.3], { dtype: 'float64' }),
    sqr_avg: tensor([0.04], { dtype: 'float64' }),
  };
  nadamStep(p, state, hyper);
  expect([values(state.grad_avg), values(state.sqr_avg)]).toEqual([[0.3], [0.04]]);
});

test('a callback runs without recording, also by hand on a parameter that needs a gradient', () => {
  const p = tensor([1], { requiresGrad: true }) as GradParam;
  (p as { grad: unknown }).grad = tensor([1]);
  const seen: boolean[] = [];
  const look = stepCallback({}, () => void seen.push(isGradEnabled()));
  look(p, {}, {});
  sgdStep(p, {}, hyper);
  expect(seen).toEqual([false]);
  expect([p.isLeaf, isGradEnabled()]).toEqual([true, true]);
  expectClose(p, [0.9]);
});

test('a step refuses to run without the state that it declares', () => {
  const p = parameter([1], [1]);
  expect(() => momentumStep(p, {}, hyper)).toThrow(
    "momentumStep: expected state 'grad_avg', got none; put the stat that makes it before this callback",
  );
  const misplaced: Callback[] = [adamStep, averageGrad()]; // in place the compiler would refuse it
  const opt = new Optimizer(p, misplaced, { lr: 1, sqr_mom: 0.99 });
  expect(() => opt.step()).toThrow("adamStep: expected state 'step'");
});

test('a callback by hand refuses to run without its hypers', () => {
  expect(() => sgdStep(parameter([1], [1]), {}, {})).toThrow(
    "sgdStep: expected hyper 'lr', got none",
  );
});

test('a declaration with an unknown key, or without a function, is refused', () => {
  expect(() => stepCallback({ hyper: ['lr'] } as object, () => undefined)).toThrow(
    "stepCallback: unknown option 'hyper'",
  );
  expect(() => statCallback({}, 3 as never)).toThrow(
    'statCallback: expected (p, state, hyper) => ..., got 3',
  );
});

test.each<DType>(['float16', 'bfloat16'])('the state of a %s parameter is float32', (dtype) => {
  const p = param([1, 2, 3], [0.5, 0.5, 0.5], dtype);
  const cbs = [
    weightDecay,
    averageGrad({ dampening: true }),
    averageSqrGrad(),
    stepStat,
    nadamStep,
  ];
  const opt = new Optimizer(p, cbs, { lr: 0.125 });
  opt.step();
  const { grad_avg, sqr_avg } = opt.state.get(p);
  expect([p.dtype, grad_avg!.dtype, sqr_avg!.dtype]).toEqual([dtype, 'float32', 'float32']);
  expectClose(grad_avg!, [0.05, 0.05, 0.05], 1e-7);
  expectClose(
    p,
    [1, 2, 3].map((value) => value - 0.125 * 1.9),
    1e-2,
  );
  opt.dispose();
});
