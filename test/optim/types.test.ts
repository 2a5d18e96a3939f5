import type { Tensor } from '../../lib/tensor/tensor';
import {
  Adam,
  adamStep,
  averageGrad,
  averageSqrGrad,
  momentumStep,
  muProduct,
  Nadam,
  Optimizer,
  rmsPropStep,
  SGD,
  slice,
  statCallback,
  stepCallback,
  stepStat,
  weightDecay,
  type Callback,
  type DeclaredCallback,
  type GradParam,
  type Hyper,
  type OptFunc,
  type Params,
} from '../../lib/optim';

// The compiler checks this file; nothing in it runs.
export function mustCompile(p: GradParam, params: Params): unknown[] {
  const factories: OptFunc[] = [
    SGD,
    Adam,
    Nadam,
    (own, { lr }) => new Optimizer(own, [averageGrad(), momentumStep], { lr }),
  ];
  const narrowed: Callback = (
    q: GradParam,
    { grad_avg }: { grad_avg: Tensor },
    { lr }: Hyper,
  ): void => {
    q.sub_(grad_avg, { alpha: lr ?? 0 });
  };
  const step = stepCallback(
    { state: ['grad_avg', 'step'], optional: ['do_wd'], hypers: ['lr'] },
    (q, { grad_avg, step: count, do_wd }, { lr }) => {
      const [a, b, c]: [Tensor, number, boolean | undefined] = [grad_avg, count + lr, do_wd];
      return a.mul(b).mul(Number(c));
    },
  );
  const stat = statCallback(
    { state: ['grad_max', 'step'] },
    (q, { grad_max, step: count = 0 }) => ({
      grad_max: grad_max?.maximum(q.grad),
      step: count + 1,
    }),
  );
  return [
    factories,
    narrowed,
    step(p, {}, { lr: 1 }),
    stat,
    new Optimizer(params, [averageGrad(), stepStat, step, stat, narrowed], { lr: slice(1) }),
  ];
}

export function mustNotCompile(p: Tensor, params: Params): unknown[] {
  return [
    // @ts-expect-error lr is required
    SGD(params, {}),
    // @ts-expect-error a hyper is a number, numbers or a slice
    SGD(params, { lr: '0.1' }),
    // @ts-expect-error an unknown option
    Nadam(params, { lr: 1, betas: [0.9, 0.99] }),
    // @ts-expect-error a factory is no callback
    new Optimizer(params, [averageGrad]),
    // @ts-expect-error a callback is synchronous
    new Optimizer(params, [async () => Promise.resolve()]),
    // @ts-expect-error a hyper that is read but not declared
    stepCallback({ hypers: ['lr'] }, (q, _state, { mom }: { mom: number }) => q.mul_(mom)),
    // @ts-expect-error state that is read but not declared
    stepCallback({ state: ['step'] }, (_q, { grad_avg }: { grad_avg: Tensor }) => grad_avg),
    // @ts-expect-error a default for a hyper that is not declared
    stepCallback({ hypers: ['lr'], defaults: { eps: 1 } }, () => undefined),
    // @ts-expect-error before its first step a stat finds nothing
    statCallback({ state: ['grad_avg'] }, (_p, { grad_avg }) => ({ grad_avg: grad_avg.mul(2) })),
    // @ts-expect-error a parameter may lack a gradient
    p.grad.mul(2),
    // @ts-expect-error parameters are tensors
    SGD(['0.weight'], { lr: 1 }),
  ];
}

// ---- what an optimizer knows from its callbacks ----

const lrOnly = stepCallback({ hypers: ['lr'] }, (p, _state, { lr }) => p.mul_(lr));
const bounded = stepCallback(
  { hypers: ['lr', 'bound'], defaults: { bound: 1 } },
  (p, _state, { lr, bound }) => p.clamp_(-bound, bound).mul_(lr),
);
const stats = [averageGrad({ dampening: true }), averageSqrGrad(), stepStat] as const;

export function knownHypers(params: Params): unknown[] {
  const opt = new Optimizer(params, [weightDecay, bounded], { lr: slice(1) });
  opt.setHypers({ lr: [1, 2], bound: 2 });
  opt.setHyper('wd', 0.1);
  const wide: Optimizer = opt; // where the callbacks are forgotten, any name passes
  wide.setHyper('whatever', 1);
  const plain = new Optimizer(params, [weightDecay, () => undefined], { lr: 1, mine: 2 });
  plain.setHypers({ theirs: 3 });
  const factory: OptFunc = (own, { lr }) => new Optimizer(own, [weightDecay, lrOnly], { lr });
  Adam(params, { lr: 1 }).setHypers({ sqr_mom: 0.9 });
  return [
    factory,
    new Optimizer(params, lrOnly, { lr: 1 }),
    new Optimizer(params, averageGrad()), // `mom` has a default
    new Optimizer(params, averageGrad(), {}, { fused: false }),
    new Optimizer(params, new Set([lrOnly, bounded]), { lr: 1 }),
  ];
}

export function unknownHypers(params: Params): unknown[] {
  const opt = new Optimizer(params, [weightDecay, bounded], { lr: 1 });
  // @ts-expect-error a misspelt name
  opt.setHypers({ momentum: 0.9 });
  // @ts-expect-error a name that no callback reads
  opt.setHyper('mom', 0.9);
  // @ts-expect-error a name that Adam doesn't read
  Adam(params, { lr: 1 }).setHyper('beta', 1);
  // @ts-expect-error a schedule is no value
  opt.setHyper('lr', 'cosine');
  return [
    // @ts-expect-error lr has no default
    new Optimizer(params, [weightDecay, bounded]),
    // @ts-expect-error lr has no default
    new Optimizer(params, [weightDecay, bounded], { wd: 0.1 }),
    // @ts-expect-error a misspelt name
    new Optimizer(params, [weightDecay, bounded], { lr: 1, bounds: 2 }),
    // @ts-expect-error lr has no default, also beside a plain function
    new Optimizer(params, [lrOnly, () => undefined], { mine: 1 }),
    // @ts-expect-error the options come after the hypers
    new Optimizer(params, lrOnly, { lr: 1, fused: false }),
  ];
}

export function knownState(params: Params): unknown[] {
  const makesAll: Callback = () => ({ grad_avg: 1, sqr_avg: 1, step: 1 });
  const forgotten: DeclaredCallback[] = [adamStep, ...stats];
  const unordered = [adamStep, averageGrad(), averageSqrGrad(), stepStat];
  return [
    new Optimizer(params, [...stats, adamStep], { lr: 1 }),
    new Optimizer(params, [averageSqrGrad(), rmsPropStep], { lr: 1 }), // grad_avg is optional
    new Optimizer(params, [makesAll, adamStep], { lr: 1, mom: 0.9, sqr_mom: 0.99 }), // a plain function may make it
    new Optimizer(params, forgotten, { lr: 1 }),
    new Optimizer(params, unordered, { lr: 1 }), // without an order only their presence is checked
  ];
}

export function missingState(params: Params): unknown[] {
  const unordered = [adamStep, averageGrad(), stepStat];
  return [
    // @ts-expect-error no stat makes grad_avg
    new Optimizer(params, [weightDecay, momentumStep], { lr: 1 }),
    // @ts-expect-error no stat makes step
    new Optimizer(params, [averageGrad(), averageSqrGrad(), adamStep], { lr: 1 }),
    // @ts-expect-error the stats come too late
    new Optimizer(params, [adamStep, ...stats], { lr: 1 }),
    // @ts-expect-error muProduct needs step
    new Optimizer(params, [muProduct, stepStat]),
    // @ts-expect-error no stat makes sqr_avg
    new Optimizer(params, unordered, { lr: 1 }),
    // @ts-expect-error one callback alone, too
    new Optimizer(params, momentumStep, { lr: 1 }),
  ];
}

test('the types are checked by the compiler', () => {
  expect([
    mustCompile,
    mustNotCompile,
    knownHypers,
    unknownHypers,
    knownState,
    missingState,
  ]).toHaveLength(6);
});
