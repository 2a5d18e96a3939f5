import {
  averageGrad,
  debias,
  elementwise,
  expr,
  Optimizer,
  stepStat,
  where,
  type Expr,
  type Params,
} from '../../lib/optim';

// The compiler checks this file; nothing in it runs.

const bounded = elementwise(
  { state: ['bound'], needs: ['step'], hypers: ['lr', 'growth'], defaults: { growth: 0.1 } },
  ({ p, g, do_wd, bound, step, lr, growth }) => {
    const next = bound.maximum(g.abs());
    const limit = where(do_wd, next, debias(growth, growth.rsub(1), step));
    return { p: p.sub(g.clamp({ min: limit.neg(), max: limit }), { alpha: lr }), bound: next };
  },
);
const needsBound = elementwise({ needs: ['bound'], optional: ['grad_avg'] }, (x) => {
  const average: Expr | undefined = x.grad_avg;
  return {
    p: x.p.sub(
      expr(1)
        .div(x.bound)
        .mul(average ?? x.g),
    ),
    g: 0,
  };
});

export function mustCompile(params: Params): unknown[] {
  const opt = new Optimizer(params, [stepStat, bounded, needsBound], { lr: 1 });
  opt.setHypers({ growth: 0.2 });
  const one: number = debias(0.9, 0.1, 2);
  return [
    opt,
    one,
    new Optimizer(params, [averageGrad(), stepStat, bounded, needsBound], { lr: 1 }),
  ];
}

export function mustNotCompile(params: Params): unknown[] {
  return [
    // @ts-expect-error lr has no default
    new Optimizer(params, [stepStat, bounded]),
    // @ts-expect-error no hyper of this name
    new Optimizer(params, [stepStat, bounded], { lr: 1, grows: 2 }),
    // @ts-expect-error no stat makes step
    new Optimizer(params, [bounded], { lr: 1 }),
    // @ts-expect-error bound is made too late
    new Optimizer(params, [needsBound, stepStat, bounded], { lr: 1 }),
    // @ts-expect-error a hyper that is read but not declared
    elementwise({ hypers: ['lr'] }, ({ p, mom }) => ({ p: p.mul(mom) })),
    // @ts-expect-error step is state that a stat makes
    elementwise({}, ({ p, step }) => ({ p: p.div(step) })),
    // @ts-expect-error no new value of what it makes
    elementwise({ state: ['m'] }, ({ p }) => ({ p })),
    // @ts-expect-error an expression is no number
    elementwise({ hypers: ['mom'] }, ({ p, mom }) => ({ p: p.mul(1 - mom) })),
    // @ts-expect-error a new value is an expression or a number
    elementwise({}, () => ({ p: true })),
    // @ts-expect-error optional state may be undefined
    elementwise({ optional: ['m'] }, ({ p, m }) => ({ p: p.sub(m) })),
    // @ts-expect-error a default for a hyper that is not declared
    elementwise({ hypers: ['lr'], defaults: { mom: 1 } }, ({ p }) => ({ p })),
  ];
}

test('the types are checked by the compiler', () => {
  expect([mustCompile, mustNotCompile]).toHaveLength(2);
});
