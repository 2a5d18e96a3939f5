import { zerosLike } from '../ops';
import type { Tensor } from '../tensor/tensor';
import { dampingFactory, statCallback, stepCallback } from './callback';
import { debias } from './debias';

// An average of half precision would lose small gradients: its state is float32.
function zeroState(p: Tensor): Tensor {
  return p.dtype === 'float16' || p.dtype === 'bfloat16'
    ? zerosLike(p, { dtype: 'float32' })
    : zerosLike(p);
}

// ---- weight decay ----

/**
 * Decays the weights: `p *= 1 - lr * wd`, apart from the gradient ("decoupled"), unless `do_wd` is false or `wd` is 0.
 *
 * Source: Loshchilov and Hutter 2019; fastai's `weight_decay`.
 */
export const weightDecay = stepCallback(
  { name: 'weightDecay', state: ['do_wd'], hypers: ['lr', 'wd'], defaults: { wd: 0 } },
  (p, { do_wd = true }, { lr, wd }) => {
    if (do_wd && wd !== 0) p.mul_(1 - lr * wd);
  },
);

/**
 * Adds the gradient of an L2 penalty to the gradient itself: `grad += wd * p`, unless `do_wd` is false or `wd` is 0. The
 * gradient stays so until it is zeroed.
 *
 * Source: fastai's `l2_reg`.
 */
export const l2Reg = stepCallback(
  { name: 'l2Reg', state: ['do_wd'], hypers: ['lr', 'wd'], defaults: { wd: 0 } },
  (p, { do_wd = true }, { wd }) => {
    if (do_wd && wd !== 0) p.grad.add_(p, { alpha: wd });
  },
);

// ---- stats ----

/**
 * Gives the stat `grad_avg = mom * grad_avg + damp * grad`, from zeros, shape of `p`; `damp` is `1 - mom` with
 * `dampening`, else 1 (the default). `mom` is 0.9 unless set.
 *
 * Source: fastai's `average_grad`.
 */
export const averageGrad = dampingFactory('averageGrad', false, (dampening) =>
  statCallback(
    {
      name: `averageGrad(${dampening ? '{ dampening: true }' : ''})`,
      state: ['grad_avg'],
      hypers: ['mom'],
      defaults: { mom: 0.9 },
    },
    (p, { grad_avg = zeroState(p) }, { mom }) => ({
      grad_avg: grad_avg.mul_(mom).add_(p.grad, { alpha: dampening ? 1 - mom : 1 }),
    }),
  ),
);

/**
 * Gives the stat `sqr_avg = sqr_mom * sqr_avg + damp * grad ** 2`, from zeros, shape of `p`; `damp` is `1 - sqr_mom` with
 * `dampening` (the default), else 1. `sqr_mom` is 0.99 unless set.
 *
 * Source: fastai's `average_sqr_grad`.
 */
export const averageSqrGrad = dampingFactory('averageSqrGrad', true, (dampening) =>
  statCallback(
    {
      name: `averageSqrGrad(${dampening ? '' : '{ dampening: false }'})`,
      state: ['sqr_avg'],
      hypers: ['sqr_mom'],
      defaults: { sqr_mom: 0.99 },
    },
    (p, { sqr_avg = zeroState(p) }, { sqr_mom }) => ({
      sqr_avg: sqr_avg
        .mul_(sqr_mom)
        .addcmul_(p.grad, p.grad, { value: dampening ? 1 - sqr_mom : 1 }),
    }),
  ),
);

/** Counts the steps of each parameter, from 1, as `step`. Source: fastai's `step_stat`. */
export const stepStat = statCallback({ name: 'stepStat', state: ['step'] }, (_p, { step = 0 }) => ({
  step: step + 1,
}));

// ---- steps ----

/** Steps down the gradient: `p -= lr * grad`. Source: fastai's `sgd_step`. */
export const sgdStep = stepCallback({ name: 'sgdStep', hypers: ['lr'] }, (p, _state, { lr }) => {
  p.sub_(p.grad, { alpha: lr });
});

/** Steps down the averaged gradient: `p -= lr * grad_avg`. Source: fastai's `momentum_step`. */
export const momentumStep = stepCallback(
  { name: 'momentumStep', state: ['grad_avg'], hypers: ['lr'] },
  (p, { grad_avg }, { lr }) => {
    p.sub_(grad_avg, { alpha: lr });
  },
);

/**
 * Applies one Adam step: `p -= lr / d1 * grad_avg / (sqrt(sqr_avg / d2) + eps)`, with `d1 = 1 - mom ** step` and
 * `d2 = 1 - sqr_mom ** step`. `eps` is 1e-5 unless set.
 *
 * Source: Kingma and Ba 2015; fastai's `adam_step`.
 */
export const adamStep = stepCallback(
  {
    name: 'adamStep',
    state: ['step', 'grad_avg', 'sqr_avg'],
    hypers: ['lr', 'mom', 'sqr_mom', 'eps'],
    defaults: { eps: 1e-5 },
  },
  (p, { step, grad_avg, sqr_avg }, { lr, mom, sqr_mom, eps }) => {
    const denom = sqr_avg
      .div(debias(sqr_mom, 1 - sqr_mom, step))
      .sqrt_()
      .add_(eps);
    p.addcdiv_(grad_avg, denom, { value: -lr / debias(mom, 1 - mom, step) });
  },
);

/**
 * Applies one NAdam step: `p -= lr / d1 * num / (sqrt(sqr_avg / d2) + eps)`, with `num = mom * grad_avg + (1 - mom) * grad`,
 * `d1 = 1 - mom ** step` and `d2 = 1 - sqr_mom ** step`. `eps` is 1e-8 unless set.
 *
 * Source: Dozat 2016 in Ruder's form; not `torch.optim.NAdam`, which schedules its momentum.
 */
export const nadamStep = stepCallback(
  {
    name: 'nadamStep',
    state: ['step', 'grad_avg', 'sqr_avg'],
    hypers: ['lr', 'mom', 'sqr_mom', 'eps'],
    defaults: { eps: 1e-8 },
  },
  (p, { step, grad_avg, sqr_avg }, { lr, mom, sqr_mom, eps }) => {
    const num = grad_avg.mul(mom).add_(p.grad, { alpha: 1 - mom });
    const denom = sqr_avg
      .div(debias(sqr_mom, 1 - sqr_mom, step))
      .sqrt_()
      .add_(eps);
    p.addcdiv_(num, denom, { value: -lr / debias(mom, 1 - mom, step) });
  },
);
