import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { optim, type DType, type Tensor } from '../../lib/index';
import { tensor } from '../../lib/tensor/create';
import { cases, expectSameBothWays, run, type Make } from './both-ways';
import { own } from './own-callbacks';
import { difference, values } from './support';

const { Adan, elementwise, Lamb, Larc, Optimizer, RAdam, StableAdam, stepStat, weightDecay } =
  optim;

const factories: Record<string, Make> = {
  Adan: (params, options) => Adan(params, { wd: 0.01, ...options }),
  StableAdam: (params, options) => StableAdam(params, options),
  Larc: (params, options) => Larc(params, { wd: 0.01, trust_coeff: 1, ...options }),
  'Larc without momentum': (params, options) => Larc(params, { mom: 0, clip: false, ...options }),
  Lamb: (params, options) => Lamb(params, { wd: 0.01, ...options }),
  'RAdam with beta': (params, options) => RAdam(params, { beta: 20, wd: 0.01, ...options }),
  ...Object.fromEntries(Object.entries(own).map(([name, { recorded }]) => [name, recorded])),
};

describe.each(Object.entries(factories))('%s', (_, make) => {
  test.each(cases)('gives the same weights and states either way over 50 steps: %p', (one) => {
    expectSameBothWays(make, one);
  });

  test.each(['bfloat16', 'float16'] as const)('is rounded to %s once', (dtype) => {
    const one = { dtype, groups: 1, decouple_wd: true };
    const [fused, plain] = [run('auto', make, one), run(false, make, one)];
    expect(fused.why).toMatch(/ in (one pass|\d+ passes) over/);
    // The callbacks round after weight decay and after the step, the kernels once.
    plain.weights.forEach((wanted, i) =>
      expect(difference(fused.weights[i]!, wanted)).toBeLessThan(dtype === 'bfloat16' ? 0.1 : 0.02),
    );
  });
});

describe.each(Object.entries(own))('%s', (_, { recorded, plain }) => {
  test.each(cases)('is what plain callbacks with the same formula give: %p', (one) => {
    const [got, wanted] = [run('auto', recorded, one), run(false, plain, one)];
    const tolerance = one.dtype === 'float32' ? 4e-6 : 1e-12;
    wanted.weights.forEach((weights, i) =>
      expect(difference(got.weights[i]!, weights)).toBeLessThanOrEqual(tolerance),
    );
  });
});

// ---- against PyTorch: test/golden/elementwise.py ----

const golden = JSON.parse(readFileSync(join(__dirname, '../golden/elementwise.json'), 'utf8')) as {
  shapes: number[][];
  steps: number;
} & Record<string, number[][]>;

function random(step: number, k: number, i: number): number {
  let x = 1 + 10007 * step + 101 * k + i;
  for (let round = 0; round < 3; round++) x = (x * (48271 + (x % 1009))) % 2147483647;
  return ((x % 4096) - 2048) / 1024;
}

function filled(step: number, k: number, shape: readonly number[]): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const data = Float64Array.from({ length: count }, (_, i) => random(step, k, i));
  return tensor(data).view(shape);
}

test.each(['AMSGrad', 'centred RMSProp'])("%s is PyTorch's, both ways", (name) => {
  for (const fused of [false, 'auto'] as const) {
    const params = golden.shapes.map((shape, k) => filled(0, k, shape));
    const opt = own[name]!.recorded(params, { lr: 0.01, fused });
    opt.setHypers({ wd: 0 });
    for (let step = 1; step <= golden.steps; step++) {
      params.forEach((p, k) => (p.grad = filled(step, k, p.shape)));
      opt.step();
    }
    params.forEach((p, k) =>
      expect(difference(values(p), golden[name]![k]!)).toBeLessThanOrEqual(1e-12),
    );
    opt.dispose();
  }
});

test('RAdam goes by its kernel until a group has a beta, then by its program', () => {
  const params = [tensor([1, 2]), tensor([3, 4])];
  for (const p of params) p.grad = p.mul(0.1);
  const [auto, plain] = (['auto', false] as const).map((fused) => {
    const copies = params.map((p) => {
      const copy = p.clone();
      copy.grad = p.grad!.clone();
      return copy;
    });
    const opt = RAdam(
      copies.map((p) => [p]),
      { lr: 0.1, fused },
    );
    for (let step = 0; step < 20; step++) {
      if (step === 10) opt.setHypers({ beta: [0, 30] });
      if (step === 15) opt.setHypers({ beta: 0 });
      opt.step();
      if (fused && step > 0) expect(opt.explain()).toContain('in one pass');
    }
    opt.dispose();
    return copies.map(values);
  });
  auto!.forEach((got, i) => expect(difference(got, plain![i]!)).toBeLessThanOrEqual(1e-6));
});

test.each([
  ['Adan', 'one pass'],
  ['Lamb', '2 passes'],
  ['Larc', '2 passes'],
  ['AMSGrad', 'one pass'],
  ['SGD clipped to an average', '2 passes'],
])('%s takes %s over memory, and says so', (name, passes) => {
  const p = tensor([1, 2]);
  p.grad = tensor([1, 1]);
  const opt = factories[name]!(p, { lr: 0.1 });
  opt.step();
  opt.step();
  expect(opt.explain()).toContain(` in ${passes} over 1 parameters`);
  opt.dispose();
});

// ---- faults ----

// Momentum whose recorded maths has `fault` in it.
const momentum = (fault: number): Make => {
  const step = elementwise(
    { name: 'momentum', state: ['m', 'n'], hypers: ['lr', 'mom'], defaults: { mom: 0.9 } },
    ({ p, g, m, n, lr, mom }) => {
      const next = m.mul(mom).add(g);
      return { p: p.sub(next, { alpha: lr.mul(fault) }), m: next, n: n.add(g.norm()) };
    },
  );
  return (params, { lr, fused = 'auto' }) =>
    new Optimizer(params, [weightDecay, stepStat, step], { lr, wd: 0.01 }, { fused });
};

test('a fault planted in a program is seen', () => {
  const one = { dtype: 'float64' as DType, groups: 1, decouple_wd: true };
  const right = run(false, momentum(1), one);
  const error = (fault: number) => {
    const { why, weights } = run('auto', momentum(fault), one);
    expect(why).toMatch(/ in (one pass|\d+ passes) over/);
    return Math.max(...weights.map((got, i) => difference(got, right.weights[i]!)));
  };
  expect(error(1)).toBeLessThanOrEqual(1e-12);
  expect(error(1 + 1e-9)).toBeGreaterThan(1e-12);
});
