import type { Tensor } from '../../lib/tensor/tensor';
import {
  Adam,
  averageGrad,
  momentumStep,
  Nadam,
  Optimizer,
  SGD,
  slice,
  statCallback,
  stepStat,
  stepCallback,
  type Callback,
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

test('the types are checked by the compiler', () => {
  expect([mustCompile, mustNotCompile]).toHaveLength(2);
});
