import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  debias,
  elementwise,
  expr,
  Optimizer,
  where,
  type DeclaredCallback,
  type Expr,
  type GradParam,
} from '../../lib/optim';
import { codes } from '../../lib/optim/expression';
import { tensor } from '../../lib/tensor/create';
import { noGrad } from '../../lib/tensor/autograd';
import { keep } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { param, values } from './support';

type OfExpr = (a: Expr, b: Expr, c: Expr) => Expr;
type OfNumbers = (a: number, b: number, c: number) => number;

// Each method beside the formula that it stands for.
const methods: Record<string, [OfExpr, OfNumbers]> = {
  add: [(a, b) => a.add(b), (a, b) => a + b],
  'add with alpha': [(a, b, c) => a.add(b, { alpha: c }), (a, b, c) => a + c * b],
  sub: [(a, b) => a.sub(b), (a, b) => a - b],
  'sub with alpha': [(a, b) => a.sub(b, { alpha: 3 }), (a, b) => a - 3 * b],
  rsub: [(a, b) => a.rsub(b), (a, b) => b - a],
  'rsub with alpha': [(a) => a.rsub(1, { alpha: 2 }), (a) => 1 - 2 * a],
  mul: [(a, b) => a.mul(b), (a, b) => a * b],
  div: [(a, b) => a.div(b), (a, b) => a / b],
  pow: [(a, b) => a.abs().pow(b), (a, b) => Math.abs(a) ** b],
  'pow of a number': [(a) => expr(0.96).pow(a), (a) => 0.96 ** a],
  addcmul: [(a, b, c) => a.addcmul(b, c), (a, b, c) => a + b * c],
  'addcmul with value': [(a, b, c) => a.addcmul(b, c, { value: 2 }), (a, b, c) => a + 2 * b * c],
  addcdiv: [(a, b, c) => a.addcdiv(b, c, { value: -2 }), (a, b, c) => a - (2 * b) / c],
  lerp: [(a, b, c) => a.lerp(b, c), (a, b, c) => a + c * (b - a)],
  neg: [(a) => a.neg(), (a) => -a],
  abs: [(a) => a.abs(), (a) => Math.abs(a)],
  sign: [(a) => a.sign(), (a) => (a > 0 ? 1 : a < 0 ? -1 : 0)],
  sqrt: [(a) => a.sqrt(), (a) => Math.sqrt(a)],
  rsqrt: [(a) => a.rsqrt(), (a) => 1 / Math.sqrt(a)],
  square: [(a) => a.square(), (a) => a * a],
  reciprocal: [(a) => a.reciprocal(), (a) => 1 / a],
  exp: [(a) => a.exp(), (a) => Math.exp(a)],
  expm1: [(a) => a.expm1(), (a) => Math.expm1(a)],
  log: [(a) => a.log(), (a) => Math.log(a)],
  log1p: [(a) => a.log1p(), (a) => Math.log1p(a)],
  tanh: [(a) => a.tanh(), (a) => Math.tanh(a)],
  sigmoid: [(a) => a.sigmoid(), (a) => 1 / (1 + Math.exp(-a))],
  softplus: [(a) => a.softplus(), (a) => (a > 20 ? a : Math.log1p(Math.exp(a)))],
  'softplus with beta': [
    (a) => a.softplus({ beta: 10 }),
    (a) => (a * 10 > 20 ? a : Math.log1p(Math.exp(a * 10)) / 10),
  ],
  maximum: [(a, b) => a.maximum(b), (a, b) => Math.max(a, b)],
  minimum: [(a, b) => a.minimum(b), (a, b) => Math.min(a, b)],
  'clamp to both': [(a) => a.clamp({ min: -1, max: 0.5 }), (a) => Math.min(Math.max(a, -1), 0.5)],
  'clamp to one': [(a, b) => a.clamp({ max: b }), (a, b) => Math.min(a, b)],
  clampMin: [(a, b) => a.clampMin(b), (a, b) => Math.max(a, b)],
  clampMax: [(a) => a.clampMax(0.25), (a) => Math.min(a, 0.25)],
  eq: [(a, b) => a.eq(b), (a, b) => Number(a === b)],
  ne: [(a) => a.ne(1), (a) => Number(a !== 1)],
  lt: [(a, b) => a.lt(b), (a, b) => Number(a < b)],
  le: [(a, b) => a.le(b), (a, b) => Number(a <= b)],
  gt: [(a) => a.gt(0), (a) => Number(a > 0)],
  ge: [(a, b) => a.ge(b), (a, b) => Number(a >= b)],
  logicalAnd: [(a, b) => a.logicalAnd(b), (a, b) => Number(a !== 0 && b !== 0)],
  logicalOr: [(a, b) => a.logicalOr(b.gt(1)), (a, b) => Number(a !== 0 || b > 1)],
  logicalNot: [(a) => a.logicalNot(), (a) => Number(a === 0)],
  where: [(a, b, c) => where(a.gt(0), b, c), (a, b, c) => (a > 0 ? b : c)],
  'where of numbers': [(a) => where(a.le(0), 0.1, 2), (a) => (a <= 0 ? 0.1 : 2)],
  'arithmetic of truths': [
    (a, b) => a.gt(0).sub(a.lt(0)).add(b.eq(1)),
    (a, b) => Number(a > 0) - Number(a < 0) + Number(b === 1),
  ],
  debias: [
    (a, b, c) => debias(a.sigmoid(), b, c),
    (a, b, c) => {
      const mom = 1 / (1 + Math.exp(-a));
      return (b * (1 - mom ** c)) / (1 - mom);
    },
  ],
};

const a = [-2.5, -1, -0.3, 0, 0.3, 1, 2.5, 30, NaN];
const b = [1, -1, 0, 0, 2, 1, -3, 0.5, 1];
const c = [2, 0.5, -1, 3, 4, 1, 0.1, 2, 1];

function expectAll(got: readonly number[], wanted: readonly number[]): void {
  wanted.forEach((value, i) => {
    if (Number.isFinite(value))
      expect(got[i]).toBeCloseTo(value, 11 - Math.log10(1 + Math.abs(value)));
    else expect(got[i]).toBe(value);
  });
}

const inFloat64 = (data: number | number[]) => tensor(data, { dtype: 'float64' });
const outOf = (returned: unknown) => values((returned as { out: Tensor }).out);

const needs = ['a', 'b', 'c'] as const;
const zeros = () => param(a.map(() => 0), a.map(() => 0), 'float64') as GradParam; // prettier-ignore

// They keep states as they are, so that a list makes them: numbers, or tensors, as the gradient (which is 0) is one.
const numbers = elementwise({ state: needs }, (x) => ({ a: x.a, b: x.b, c: x.c }));
const tensors = elementwise({ state: needs }, ({ g, ...x }) => ({
  ...{ a: x.a.add(g), b: x.b.add(g), c: x.c.add(g) },
}));

/** What the second step makes, which is the kernels'. */
function natively(
  cbs: DeclaredCallback[],
  state: Record<string, Tensor>,
  hypers: Record<string, number> = {},
): number[] {
  const p = zeros();
  const opt = new Optimizer(p, cbs, hypers);
  Object.assign(opt.state.get(p), keep(state));
  opt.step();
  noGrad(() => (opt.state.get(p)['out'] as Tensor).zero_());
  opt.step();
  expect(opt.explain()).toMatch(/in (0 passes|one pass) over/); // where no element is touched, none
  const out = values(opt.state.get(p)['out'] as Tensor);
  opt.dispose();
  return out;
}

describe.each(Object.entries(methods))('%s', (_, [ofExpr, ofNumbers]) => {
  const wanted = a.map((x, i) => ofNumbers(x, b[i]!, c[i]!));
  const ofState = elementwise({ state: ['out'], needs }, (x) => ({ out: ofExpr(x.a, x.b, x.c) }));
  const ofHypers = elementwise({ state: ['out'], hypers: needs }, (x) => ({
    out: ofExpr(x.a, x.b, x.c),
  }));

  test('of tensors', () => {
    const state = () => ({ a: inFloat64(a), b: inFloat64(b), c: inFloat64(c) });
    expectAll(outOf(ofState(zeros(), state(), {})), wanted);
    expectAll(natively([tensors, ofState], state()), wanted);
  });

  test('of numbers, in float64', () => {
    a.forEach((x, i) => {
      const hypers = { a: x, b: b[i]!, c: c[i]! };
      const patch = ofHypers(zeros(), {}, hypers);
      expect((patch as { out: Tensor }).out.shape).toEqual([]);
      expectAll(outOf(patch), [wanted[i]!]);
      if (!Number.isNaN(x)) expectAll(natively([ofHypers], {}, hypers), [wanted[i]!]); // no hyper is NaN
    });
  });

  test('of one number in a state', () => {
    a.forEach((x, i) => {
      const state = { a: inFloat64(x), b: inFloat64(b[i]!), c: inFloat64(c[i]!) };
      expectAll(outOf(ofState(zeros(), state, {})), [wanted[i]!]);
    });
    const state = { a: inFloat64(0.3), b: inFloat64(2), c: inFloat64(4) };
    expectAll(natively([numbers, ofState], state), [ofNumbers(0.3, 2, 4)]);
  });

  test('of tensors and a number in a state', () => {
    const state = { a: inFloat64(a), b: inFloat64(2), c: inFloat64(0.5) };
    expectAll(
      outOf(ofState(zeros(), state, {})),
      a.map((x) => ofNumbers(x, 2, 0.5)),
    );
  });
});

test('sums, means and norms are one number', () => {
  const run = elementwise(
    { state: ['sum', 'mean', 'norm', 'sums'], hypers: ['lr'] },
    ({ g, lr }) => ({
      sum: g.sum(),
      mean: g.mean(),
      norm: g.norm(),
      sums: lr.sum().add(g.sum().sum()), // as many times as there are elements
    }),
  );
  const patch = run(param([0, 0], [3, -4]) as GradParam, {}, { lr: 2 }) as Record<string, Tensor>;
  expect(Object.values(patch).map((value) => value.toArray())).toEqual([-1, -0.5, 5, 2]);
});

test('the numbers of what nodes compute are those of the kernels', () => {
  const header = readFileSync(join(__dirname, '../../native/optim/fused/fused.h'), 'utf8');
  const [, list = ''] = /enum fastopt_code \{(.*?)FASTOPT_CODES/s.exec(header) ?? [];
  const names = Array.from(list.matchAll(/FASTOPT_(\w+),/g), ([, name]) => name);
  expect(codes.map((code) => code.replace('S', '_S').toUpperCase())).toEqual(names);
});

test.each<[string, (x: Expr) => unknown]>([
  ['arithmetic', (x) => 1 - (x as unknown as number)],
  ['a comparison', (x) => x > expr(1)],
  ['a text', (x) => `of ${x as unknown as string}`],
])('%s with an expression says what to write', (_, use) => {
  expect(() => use(expr(1))).toThrow(/an expression is no number.*write mom.rsub\(1\)/);
});

test('an operand that is neither a number nor an expression is refused', () => {
  expect(() => expr(1).add('2' as unknown as number)).toThrow(
    /expected a number or an expression, got '2'/,
  );
  expect(() => expr(1).add(tensor(1) as unknown as number)).toThrow(
    /declare what the function reads/,
  );
});
