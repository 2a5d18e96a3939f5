import {
  Adam,
  EMA,
  Lookahead,
  Nadam,
  OptimWrapper,
  SGD,
  keep,
  manualSeed,
  randn,
  TorchNadam,
  torchOptim,
  zeros,
  type Optimizer,
  type Tensor,
} from '../../lib/index';
import type { CapturedStep } from '../../lib/optim/captured-step';
import { testDevice } from '../support/cuda';
import { expectClose, values } from './support';

const shapes = [[3, 4], [7], [1]];
const make = () => shapes.map((shape) => randn(shape).to(testDevice));

function grade(params: readonly Tensor[], step: number): void {
  params.forEach((p, i) => {
    p.grad ??= p.detach().clone();
    p.grad.fill_(Math.sin(step + i));
  });
}

/** An optimizer that has taken two steps, its twin, and the captured step of the first. */
function begin(
  factory: (params: Tensor[]) => Optimizer,
  options: Parameters<Optimizer['captureStep']>[0] = {},
) {
  manualSeed(2);
  const params = make();
  const others = params.map((p) => p.clone());
  const [opt, twin] = [factory(params), factory(others)];
  for (const [list, each] of [
    [params, opt],
    [others, twin],
  ] as const) {
    grade(list, 0);
    each.step(); // makes the state
    each.step();
  }
  const step = opt.captureStep(options) as CapturedStep;
  expect(step.begin()).toBeUndefined();
  return { params, others, opt, twin, step };
}

const counts = (opt: Optimizer): [unknown, unknown][] =>
  opt.paramLists.flat().map((p) => [opt.state.get(p).step, opt.state.get(p).mu_product]);

function expectSame({ params, others, opt, twin }: Omit<ReturnType<typeof begin>, 'step'>): void {
  params.forEach((p, i) => expectClose(p, values(others[i]!), 1e-6));
  counts(opt).forEach(([step, mu], i) => {
    const [wanted, product] = counts(twin)[i]!;
    expect(step).toBe(wanted);
    if (product !== undefined) expect(mu).toBeCloseTo(Number(product), 12);
  });
}

test.each([
  ['NAdam', (params: Tensor[]) => Nadam(params, { lr: 0.1 })],
  ["PyTorch's NAdam", (params: Tensor[]) => TorchNadam(params, { lr: 0.1 })],
  ['SGD', (params: Tensor[]) => SGD(params, { lr: 0.1, mom: 0.9 })],
])('%s: steps that the device counts are those of the host', (_, factory) => {
  const both = begin(factory);
  const { params, others, opt, twin, step } = both;
  for (let i = 1; i < 6; i++) {
    for (const each of [opt, twin]) each.setHyper('lr', 0.1 / i);
    grade(params, i);
    grade(others, i);
    step.take();
    twin.step();
    if (i % 2) expectSame(both);
  }
  step.end();
  expectSame(both);
  grade(params, 6);
  grade(others, 6);
  for (const each of [opt, twin]) each.step();
  expectSame(both);
  for (const each of [opt, twin]) each.dispose();
});

test('a step is left out, and not counted, where a number on the device is not 0', () => {
  const skip = keep(zeros([], { device: testDevice }));
  const both = begin((params) => Nadam(params, { lr: 0.1 }), { skip });
  const { params, others, opt, twin, step } = both;
  for (const overflow of [0, 1, 0, 1, 1]) {
    skip.fill_(overflow);
    grade(params, overflow + 1);
    grade(others, overflow + 1);
    step.take();
    if (!overflow) twin.step();
  }
  expectSame(both);
  expect(opt.state.get(params[0]!).step).toBe(4);
  for (const each of [opt, twin, skip]) each.dispose();
});

test('states are what they always are, to whoever copies, lists, saves or changes them', () => {
  const { params, opt, twin, step } = begin((list) => Nadam(list, { lr: 0.1 }));
  const state = opt.state.get(params[0]!);
  step.take();
  expect(Object.keys(state)).toEqual(Object.keys(twin.state.get(twin.paramLists[0]![0]!)));
  expect({ ...state }).toMatchObject({ step: 3 });
  expect(JSON.parse(JSON.stringify({ step: state.step }))).toEqual({ step: 3 });
  const { state: saved } = opt.stateDict();
  expect(saved.map((each) => each.step)).toEqual([3, 3, 3]);
  state.step = 10; // takes all counts back
  expect(Object.getOwnPropertyDescriptor(state, 'step')).toMatchObject({ value: 10 });
  expect(counts(opt).map(([count]) => count)).toEqual([10, 3, 3]);
  step.take();
  expect(counts(opt).map(([count]) => count)).toEqual([11, 4, 4]);
  delete state.step;
  step.take();
  step.end();
  expect(counts(opt).map(([count]) => count)).toEqual([1, 5, 5]);
  expect(Object.getOwnPropertyDescriptor(opt.state.get(params[1]!), 'step')).toMatchObject({
    value: 5,
  });
  step.begin();
  step.take();
  opt.clearState();
  expect(opt.state.get(params[0]!)).toEqual({});
  for (const each of [opt, twin]) each.dispose();
});

test('gradients are zeroed in the same pass', () => {
  const { params, opt, twin, step } = begin((list) => Nadam(list, { lr: 0.1 }), {
    zeroGrad: true,
  });
  step.take();
  expect(step.zeroesGrad).toBe(true);
  expect(params.flatMap((p) => values(p.grad!))).toEqual(
    params.flatMap((p) => Array(p.numel).fill(0)),
  );
  for (const each of [opt, twin]) each.dispose();
});

test.each<[string, (opt: Optimizer, params: Tensor[]) => unknown, string | undefined]>([
  ['nothing', () => undefined, undefined],
  ['a learning rate', (opt) => opt.setHyper('lr', 1), undefined],
  ['a count', (opt, [p]) => (opt.state.get(p!).step = 5), undefined],
  ['a step of its own', (opt) => opt.step(), undefined],
  [
    'a flag',
    (opt, [p]) => (opt.state.get(p!).do_wd = false),
    'a state of the optimizer has changed',
  ],
  [
    'an average',
    (opt, [p]) => (opt.state.get(p!).grad_avg = keep(p!.clone())),
    'a state of the optimizer has changed',
  ],
  [
    'a gradient',
    (_, [p]) => (p!.grad = p!.clone()),
    'a parameter, gradient or state is elsewhere than in the graph',
  ],
  [
    'a missing gradient',
    (_, [p]) => (p!.grad = null),
    'a parameter, gradient or state is elsewhere than in the graph',
  ],
  [
    'a weight',
    (_, [p]) => p!.setData(p!.clone()),
    'a parameter, gradient or state is elsewhere than in the graph',
  ],
  [
    'a frozen group',
    (opt) => opt.freezeTo(1),
    'a parameter, gradient or state is elsewhere than in the graph',
  ],
  ['a callback', (opt) => void opt.cbs.pop(), 'the callbacks of the optimizer have changed'],
  ['an EMA', (opt) => new EMA(opt), 'an EMA follows the optimizer'],
])('before a replay it is found out whether it still fits: %s', (_, change, reason) => {
  const { params, opt, twin, step } = begin((list) => Nadam(list, { lr: 0.1 }));
  step.take();
  expect(step.ready()).toBeUndefined();
  change(opt, params);
  expect(step.ready()).toBe(reason);
  for (const each of [opt, twin]) each.dispose();
});

test('steps outside the graph that the device skips leave it as it is', () => {
  const skip = keep(zeros([], { device: testDevice }));
  const flags = [0, 1].map((flag) => keep(zeros([], { device: testDevice }).add(flag)));
  for (const options of [{ skip }, { zeroGrad: true }]) {
    const both = begin((params) => Nadam(params, { lr: 0.1 }), options);
    const { params, others, opt, twin, step } = both;
    const go = (take: () => void, taken: boolean) => {
      grade(params, 3);
      grade(others, 3);
      take();
      if (taken) twin.step();
      expectSame(both);
    };
    go(() => step.take(), true);
    go(() => opt.stepUnless(flags[0]!), true);
    go(() => opt.stepUnless(flags[1]!), false);
    expect(step.ready()).toBeUndefined();
    params[0]!.setData(params[0]!.clone());
    go(() => opt.stepUnless(flags[0]!), true);
    expect(step.ready()).toBe('a parameter, gradient or state is elsewhere than in the graph');
    for (const each of [opt, twin]) each.dispose();
  }
  for (const each of [skip, ...flags]) each.dispose();
});

test("a number that a step can't be skipped by is told, and waited for", () => {
  const { params, opt, twin, step } = begin((list) => SGD(list, { lr: 0.1, mom: 0.9 }));
  step.end();
  const before = values(params[1]!);
  const odd = keep(zeros([], { device: testDevice, dtype: 'float64' }));
  opt.stepUnless(odd.fill_(1));
  expect(values(params[1]!)).toEqual(before);
  opt.stepUnless(odd.fill_(0));
  expect(values(params[1]!)).not.toEqual(before);
  expect(opt.explain()).toMatch(/as what a step is skipped by is no number of float32 on /);
  for (const each of [opt, twin, odd]) each.dispose();
});

test('why a step stays apart', () => {
  const params = make();
  grade(params, 1);
  const why = (opt: Optimizer) => {
    const reason = opt.captureStep();
    opt.dispose();
    return reason;
  };
  expect(why(Nadam(params, { lr: 1 }))).toBeUndefined(); // a step will show
  const first = Nadam(params, { lr: 1 });
  first.step(); // callbacks make the state
  expect(why(first)).toBeUndefined();
  const plain = Adam(params, { lr: 1, fused: false });
  plain.step();
  expect(why(plain)).toBe("the optimizer's callbacks run, as fused is false");
  expect(why(new Lookahead(SGD(params, { lr: 1 })))).toBe('Lookahead decides on its steps itself');
  expect(why(new OptimWrapper(params, torchOptim.SGD, { lr: 1 }))).toBe(
    'OptimWrapper decides on its steps itself',
  );
  const followed = SGD(params, { lr: 1 });
  const ema = new EMA(followed);
  expect(why(followed)).toBe('an EMA follows the optimizer');
  ema.dispose();
});
