import { native } from '../../lib/internal/binding';
import { manualSeed, optim, randn, tensor, zeros, type DType, type Tensor } from '../../lib/index';
import { difference, expectClose, param, values } from './support';

const { Adam, clipGradNorm, EMA, Lookahead, Nadam, OptimWrapper, SGD, torchOptim } = optim;

const shapes = [[3, 4], [7], [1], [40, 50], [0]];

interface Setting {
  dtype: DType;
  options: optim.StepOptions | undefined;
  wrap?: (opt: optim.Optimizer) => optim.Optimizer;
  ema?: boolean;
}

// Frozen groups, flags and missing gradients on the way; the gradients of a step are drawn anew.
function run(fused: optim.Fused, { dtype, options, wrap = (opt) => opt, ema = false }: Setting) {
  manualSeed(3);
  const params = shapes.map((shape) => randn(shape, { dtype: 'float64' }).to(dtype));
  const opt = wrap(
    Nadam([params.slice(0, 2), params.slice(2)], { lr: 0.01, decouple_wd: false, fused }),
  );
  const average = ema ? new EMA(opt, { decay: 0.9, warmup: true }) : undefined;
  opt.state.get(params[1]!).do_wd = false;
  const norms: (number | undefined)[] = [];
  const ways = new Set<string>();
  for (let step = 0; step < 25; step++) {
    params.forEach((p, i) => {
      p.grad = (step + i) % 6 === 5 ? null : randn(p.shape, { dtype: 'float64' }).to(dtype);
    });
    if (step === 8) opt.freezeTo(1);
    if (step === 16) opt.unfreeze();
    opt.step(options);
    norms.push(opt.lastGradNorm);
    if (step > 8) ways.add(opt.explain().includes('in one pass') ? 'fused' : 'callbacks');
  }
  const result = {
    weights: params.map(values),
    grads: params.map((p) => p.grad && values(p.grad)),
    averages: (average?.averages ?? []).map(values),
    slow: params.map((p) => opt.state.get(p).slow_weights).flatMap((t) => (t ? [values(t)] : [])),
    counts: params.map((p) => [opt.state.get(p).step, opt.state.get(p).count]),
    updates: average?.updates,
    norms,
    ways: [...ways],
  };
  average?.dispose();
  opt.dispose();
  return result;
}

const lookahead = (opt: optim.Optimizer) => new Lookahead(opt, { k: 3, alpha: 0.4 });
const settings: [string, Omit<Setting, 'dtype'>][] = [
  ['clipNorm', { options: { clipNorm: 0.5 } }],
  ['clipNorm above the norm', { options: { clipNorm: 1e6 } }],
  ['all three', { options: { gradScale: -2, clipNorm: 1, zeroGrad: true } }],
  ['clipNorm with averages', { options: { clipNorm: 0.5 }, wrap: lookahead, ema: true }],
];

describe.each(settings)('%s', (_, setting) => {
  test.each(['float32', 'float64'] as const)('does the same either way in %s', (dtype) => {
    const [fused, plain] = [run('auto', { dtype, ...setting }), run(false, { dtype, ...setting })];
    expect([fused.ways, plain.ways]).toEqual([['fused'], ['callbacks']]);
    const tolerance = dtype === 'float32' ? 4e-6 : 1e-12;
    for (const key of ['weights', 'averages', 'slow'] as const) {
      expect(fused[key]).toHaveLength(plain[key].length);
      plain[key].forEach((wanted, i) =>
        expect(difference(fused[key][i]!, wanted)).toBeLessThanOrEqual(tolerance),
      );
    }
    plain.grads.forEach((wanted, i) => {
      expect(fused.grads[i] === null).toBe(wanted === null);
      expect(difference(fused.grads[i] ?? [], wanted ?? [])).toBeLessThanOrEqual(tolerance);
    });
    expect(fused.counts).toEqual(plain.counts);
    expect(fused.updates).toBe(plain.updates);
    plain.norms.forEach((norm, i) => {
      if (norm === undefined) expect(fused.norms[i]).toBeUndefined();
      else expectClose(fused.norms[i]!, norm, tolerance);
    });
  });
});

test.each(['auto', false] as const)(
  'an EMA averages what a Lookahead puts back, also where groups count differently: fused %p',
  (fused) => {
    const [a, b] = [param([1, 2], [1, -1]), param([5], [2])];
    const opt = new Lookahead(SGD(a, { lr: 0.5, fused }), { k: 3 });
    opt.step();
    opt.addParamGroup(b);
    const ema = new EMA(opt, { decay: 0.75 });
    let expected = [a, b].map(values);
    for (let step = 0; step < 7; step++) {
      opt.step();
      expected = [a, b].map((p, i) => values(p).map((w, k) => 0.75 * expected[i]![k]! + 0.25 * w));
    }
    ema.averages.forEach((average, i) => expectClose(average, expected[i]!));
    ema.dispose();
    opt.dispose();
  },
);

test('a Lookahead and its EMA take turns, and make no new plan for it', () => {
  const opt = new Lookahead(SGD(param([1, 2], [1, 1]), { lr: 0.5, fused: true }), { k: 2 });
  const ema = new EMA(opt);
  for (let step = 0; step < 4; step++) opt.step();
  const plans = jest.spyOn(native, 'fusedPlan');
  for (let step = 0; step < 8; step++) opt.step();
  expect(plans).not.toHaveBeenCalled();
  plans.mockRestore();
  ema.dispose();
  opt.dispose();
});

const frozenPair = (fused: optim.Fused) => {
  const [a, b] = [param([1, 1], [3, 0]), param([1], [4])];
  const opt = SGD([[a], [b]], { lr: 1, fused });
  opt.freeze();
  return { a, b, opt };
};

test.each(['auto', false] as const)(
  'gradients of frozen parameters count, are scaled and zeroed, as by clipGradNorm and zeroGrad: fused %p',
  (fused) => {
    const { a, b, opt } = frozenPair(fused);
    opt.step({ gradScale: 2, clipNorm: 5 });
    expect(opt.lastGradNorm).toBeCloseTo(10, 5);
    expectClose(a.grad!, [3, 0], 1e-5);
    expectClose(b, [1 - 4], 1e-5);
    expect(values(a)).toEqual([1, 1]);
    opt.step({ zeroGrad: true });
    expect([values(a.grad!), values(b.grad!)]).toEqual([[0, 0], [0]]);
  },
);

test('clipNorm does what clipGradNorm before the step does', () => {
  const [one, two] = [frozenPair('auto'), frozenPair('auto')];
  one.opt.step({ clipNorm: 1 });
  const norm = clipGradNorm(two.opt, 1);
  two.opt.step();
  expectClose(one.opt.lastGradNorm!, norm);
  for (const name of ['a', 'b'] as const) {
    expectClose(one[name], values(two[name]));
    expectClose(one[name].grad!, values(two[name].grad!));
  }
});

test('an infinite norm spoils the weights, as clipGradNorm does', () => {
  for (const fused of ['auto', false] as const) {
    const p = param([1, 1], [Infinity, 1]);
    const opt = SGD(p, { lr: 1, fused });
    opt.step({ clipNorm: 1 });
    expect(opt.lastGradNorm).toBe(Infinity);
    expect(values(p)).toEqual([NaN, 1]);
  }
});

test('gradients that share memory go by the callbacks when they are written', () => {
  const both = tensor([1, 2, 3, 4]);
  const params = [param([0, 0, 0]), param([0, 0])];
  params[0]!.grad = both.narrow(0, 0, 3);
  params[1]!.grad = both.narrow(0, 2, 2);
  const opt = SGD(params, { lr: 1 });
  opt.step();
  expect(opt.explain()).toContain('in one pass');
  opt.step({ zeroGrad: true });
  expect(opt.explain()).toContain('two gradients share memory');
  expect(values(both)).toEqual([0, 0, 0, 0]);
});

test('gradients that are views of one buffer, side by side, are zeroed in the pass', () => {
  const buffer = tensor([1, 2, 3]);
  const params = [param([0, 0]), param([0])];
  params[0]!.grad = buffer.narrow(0, 0, 2);
  params[1]!.grad = buffer.narrow(0, 2, 1);
  const opt = SGD(params, { lr: 1 });
  opt.step({ zeroGrad: true });
  expect(opt.explain()).toBe(
    'step() does weightDecay, sgdStep, zeroGrad in one pass over 2 parameters',
  );
  expect(values(buffer)).toEqual([0, 0, 0]);
});

test('a step that a callback ends leaves gradients as large as they were, and can be taken again', () => {
  let broken = true;
  const check = () => {
    if (broken) throw new Error('not yet');
  };
  const params = [param([1, 1], [8, 4]), param([2], [16])];
  const opt = new optim.Optimizer(params, [check, optim.sgdStep], { lr: 1 });
  expect(() => opt.step({ gradScale: 0.25, zeroGrad: true })).toThrow('not yet');
  expect(params.map((p) => values(p.grad!))).toEqual([[8, 4], [16]]);
  broken = false;
  opt.step({ gradScale: 0.25 });
  expect(params.map(values)).toEqual([[-1, 0], [-2]]);
  expect(params.map((p) => values(p.grad!))).toEqual([[2, 1], [4]]);
  broken = true;
  expect(() => opt.step({ gradScale: 0 })).toThrow('not yet');
  expect(params.map((p) => values(p.grad!))).toEqual([[0, 0], [0]]);
  opt.dispose();
});

test('autograd hears of scaled gradients and of averaged weights', () => {
  const p = tensor([1, 2], { requiresGrad: true });
  p.grad = tensor([1, 1]);
  const opt = SGD(p, { lr: 1 });
  const ema = new EMA(opt);
  const before = [p.grad, ema.averages[0]!].map(({ version }) => version);
  opt.step({ gradScale: 0.5 });
  expect(opt.explain()).toContain('in one pass');
  const after = [p.grad, ema.averages[0]!].map(({ version }) => version);
  expect(after.map((version, i) => version > before[i]!)).toEqual([true, true]);
  ema.dispose();
});

test('OptimWrapper takes the same options', () => {
  const p = tensor([1, 1], { requiresGrad: true });
  p.grad = tensor([3, 4]);
  const opt = new OptimWrapper(p, torchOptim.SGD, { lr: 1 });
  const ema = new EMA(opt, { decay: 0.5 });
  opt.step({ clipNorm: 1, zeroGrad: true });
  expectClose(p, [1 - 0.6, 1 - 0.8], 1e-5);
  expect(values(p.grad)).toEqual([0, 0]);
  expect(opt.lastGradNorm).toBe(5);
  expectClose(ema.averages[0]!, [1 - 0.3, 1 - 0.4], 1e-5);
  ema.dispose();
  opt.dispose();
});

test.each<[string, optim.StepOptions]>([
  ["unknown option 'maxNorm' (did you mean 'clipNorm'?)", { maxNorm: 1 } as never],
  ['expected clipNorm of at least 0, got -1', { clipNorm: -1 }],
  ['expected gradScale to be a number, got NaN', { gradScale: NaN }],
  ['expected zeroGrad to be true or false, got 1', { zeroGrad: 1 as never }],
])('%s', (message, options) => {
  const p: Tensor = param([1], [1]);
  const opt = Adam(p, { lr: 1 });
  expect(() => opt.step(options)).toThrow(message);
  expect(values(p)).toEqual([1]);
});

test('an EMA follows an optimizer until it is disposed, also into a group that is added', () => {
  const [a, b] = [param([0], [-1]), param([0], [-2])];
  const opt = SGD(a, { lr: 1 });
  const ema = new EMA(opt, { decay: 0.5 });
  opt.step();
  expect(ema.averages.map(values)).toEqual([[0.5]]);
  opt.addParamGroup([b]);
  opt.step();
  expect(ema.averages.map(values)).toEqual([[1.25], [1]]);
  expect(ema.updates).toBe(2);
  expect(() => new Lookahead(opt)).toThrow('make the EMA of the Lookahead');
  ema.dispose();
  opt.step();
  expect(values(a)).toEqual([3]);
});

test('averages of half-precision weights are exact again after use', () => {
  const p = zeros([1], { dtype: 'bfloat16' });
  const ema = new EMA(p, { decay: 0.999 });
  p.fill_(1);
  ema.update();
  const exact = values(ema.averages[0]!);
  expect(exact[0]).toBeCloseTo(0.001, 6);
  expect(ema.use(() => values(p))[0]).toBeCloseTo(0.001, 4);
  expect(values(ema.averages[0]!)).toEqual(exact);
  expect(values(p)).toEqual([1]);
  ema.dispose();
});
