import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { optim, tensor, type Tensor } from '../../lib/index';
import { compare, plainSetting, type Make } from './both-ways';
import { factories } from './factories-fused';
import { own } from './own-callbacks';
import { difference, values } from './support';

const { elementwise, Optimizer, RAdam, stepStat, weightDecay } = optim;

describe.each(Object.entries(own))('%s', (_, { recorded, plain }) => {
  test.each(['float32', 'float64'] as const)(
    'is what plain callbacks with the same formula give in %s',
    (dtype) => {
      for (const decouple_wd of [true, false]) {
        const setting = { ...plainSetting(dtype), groups: 3, decouple_wd, missing: true } as const;
        expect(compare(recorded, setting, 3, plain).apart).toEqual([]);
      }
    },
  );
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

// How often the kernels pass over memory.
function passes(make: Make): string | undefined {
  const p = tensor([1, 2]);
  p.grad = tensor([1, 1]);
  const opt = make(p, { lr: 0.1 });
  opt.step();
  opt.step();
  const why = opt.explain();
  opt.dispose();
  return / in (.*) over 1 parameters/.exec(why)?.[1];
}

test.each([
  ['Adan', 'one pass'],
  ['Lamb', '2 passes'],
  ['Larc', '2 passes'],
])('%s takes %s over memory, and says so', (name, wanted) => {
  expect(passes(factories[name]!)).toBe(wanted);
});

test('a step passes over memory once more after each sum that something waits for', () => {
  const noted = elementwise({ state: ['norm'] }, ({ g }) => ({ norm: g.norm() }));
  const scaled = elementwise({ needs: ['norm'] }, ({ g, norm }) => ({ g: g.div(norm) }));
  const centred = elementwise({}, ({ g }) => ({ g: g.sub(g.mean()) }));
  const late = elementwise({}, ({ p, g }) => ({ p: p.sub(g.sub(g.mean()).norm()) }));
  const passesOf = (...cbs: optim.AnyCallback[]) =>
    passes(
      (params, { lr }) => new Optimizer(params, cbs, cbs.includes(optim.sgdStep) ? { lr } : {}),
    );
  expect(passesOf(weightDecay, optim.sgdStep)).toBe('one pass');
  expect(passesOf(noted)).toBe('one pass');
  expect(passesOf(noted, optim.sgdStep)).toBe('one pass');
  expect(passesOf(noted, scaled)).toBe('2 passes');
  expect(passesOf(centred)).toBe('2 passes');
  expect(passesOf(late)).toBe('3 passes');
  expect(passesOf(centred, noted, scaled)).toBe('3 passes');
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
  const apart = (fault: number) =>
    compare(momentum(fault), plainSetting('float64'), 1, momentum(1)).apart;
  expect(apart(1)).toEqual([]);
  expect(apart(1 + 1e-9).length).toBeGreaterThan(0);
});
