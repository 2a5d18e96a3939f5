import { callbackFactory, statCallback, stepCallback } from './callback';
import { debias } from './debias';
import { elementwise } from './elementwise';
import { expr, where, type Expr } from './expression';
import { zeroState } from './state';

// ---- weight decay ----

/**
 * Decays the weights: `p *= 1 - lr * wd`, apart from the gradient ("decoupled"), unless `do_wd` is false or `wd` is 0.
 *
 * Source: Loshchilov and Hutter 2019; fastai's `weight_decay`.
 */
export const weightDecay = stepCallback(
  { name: 'weightDecay', optional: ['do_wd'], hypers: ['lr', 'wd'], defaults: { wd: 0 } },
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
  { name: 'l2Reg', optional: ['do_wd'], hypers: ['lr', 'wd'], defaults: { wd: 0 } },
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
export const averageGrad = callbackFactory('averageGrad', 'dampening', false, (dampening) =>
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
export const averageSqrGrad = callbackFactory('averageSqrGrad', 'dampening', true, (dampening) =>
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

/**
 * Gives the stat of LARC: `local_lr = lr * trust_coeff * |p| / (|grad| + wd * |p| + eps)`, one number in a tensor, at most
 * `lr` with `clip` (the default); `|x|` is the L2 norm. Unless set, `trust_coeff` is 0.02 and `eps` 1e-8.
 *
 * Source: You et al. 2017; fastai's `larc_layer_lr`.
 */
export const larcLayerLr = callbackFactory('larcLayerLr', 'clip', true, (clip) =>
  elementwise(
    {
      name: `larcLayerLr(${clip ? '' : '{ clip: false }'})`,
      state: ['local_lr'],
      hypers: ['lr', 'trust_coeff', 'wd', 'eps'],
      defaults: { trust_coeff: 0.02, wd: 0, eps: 1e-8 },
    },
    ({ p, g, lr, trust_coeff, wd, eps }) => {
      const pNorm = p.norm();
      const local = pNorm.mul(lr.mul(trust_coeff)).div(g.norm().addcmul(wd, pNorm).add(eps));
      return { local_lr: clip ? local.clampMax(lr) : local };
    },
  ),
);

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
 * Applies one RMSProp step: `p -= lr * g / (sqrt(sqr_avg) + eps)`, where `g` is `grad_avg` if a stat made it, else the
 * gradient. `eps` is 1e-8 unless set.
 *
 * Source: Hinton's lecture 6e; fastai's `rms_prop_step`.
 */
export const rmsPropStep = stepCallback(
  {
    name: 'rmsPropStep',
    state: ['sqr_avg'],
    optional: ['grad_avg'],
    hypers: ['lr', 'eps'],
    defaults: { eps: 1e-8 },
  },
  (p, { sqr_avg, grad_avg = p.grad }, { lr, eps }) => {
    p.addcdiv_(grad_avg, sqr_avg.sqrt().add_(eps), { value: -lr });
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

/**
 * Applies one RAdam step: Adam's, times a rectification that grows with the steps; as long as the variance of `sqr_avg` is
 * unknown, `p -= lr / d1 * grad_avg`. Where `beta` is not 0, the denominator goes through `softplus`. Unless set, `eps` is
 * 1e-5 and `beta` 0.
 *
 * Source: Liu et al. 2020; fastai's `radam_step`.
 */
export const radamStep = elementwise(
  {
    name: 'radamStep',
    needs: ['step', 'grad_avg', 'sqr_avg'],
    hypers: ['lr', 'mom', 'sqr_mom', 'eps', 'beta'],
    defaults: { eps: 1e-5, beta: 0 },
  },
  ({ p, step, grad_avg, sqr_avg, lr, mom, sqr_mom, eps, beta }) => {
    const denom = debiased(sqr_avg, sqr_mom, step).sqrt().add(eps);
    const smooth = where(beta.eq(0), denom, denom.softplus({ beta }));
    const { isKnown, factor } = rectification(sqr_mom, step);
    const direction = where(isKnown, grad_avg.div(smooth).mul(factor), grad_avg);
    return { p: p.sub(direction, { alpha: lr.div(debias(mom, mom.rsub(1), step)) }) };
  },
);

/** An average without its bias towards 0. */
export function debiased(average: Expr, mom: Expr, step: Expr): Expr {
  return average.div(debias(mom, mom.rsub(1), step));
}

// Unknown where the approximated length of the moving average is at most 5.
function rectification(sqrMom: Expr, step: Expr): { isKnown: Expr; factor: Expr } {
  const atEnd = expr(2).div(sqrMom.rsub(1)).sub(1);
  const power = sqrMom.pow(step);
  const r = atEnd.sub(step.mul(2).mul(power).div(power.rsub(1)));
  const ofNow = r.sub(4).mul(r.sub(2)).mul(atEnd);
  const ofEnd = atEnd.sub(4).mul(atEnd.sub(2)).mul(r);
  return { isKnown: r.gt(5), factor: ofNow.div(ofEnd).sqrt() };
}

/**
 * Applies one QHAdam step: `p -= lr * num / (sqrt(var) + eps)`, with `num = (1 - nu_1) * grad + nu_1 * grad_avg / d1` and
 * `var = (1 - nu_2) * grad ** 2 + nu_2 * sqr_avg / d2`. `eps` is 1e-8 unless set.
 *
 * Source: Ma and Yarats 2019; fastai's `qhadam_step`.
 */
export const qhadamStep = stepCallback(
  {
    name: 'qhadamStep',
    state: ['step', 'grad_avg', 'sqr_avg'],
    hypers: ['lr', 'mom', 'sqr_mom', 'nu_1', 'nu_2', 'eps'],
    defaults: { eps: 1e-8 },
  },
  (p, { step, grad_avg, sqr_avg }, { lr, mom, sqr_mom, nu_1, nu_2, eps }) => {
    const [d1, d2] = [debias(mom, 1 - mom, step), debias(sqr_mom, 1 - sqr_mom, step)];
    const num = grad_avg.mul(nu_1 / d1).add_(p.grad, { alpha: 1 - nu_1 });
    const variance = sqr_avg.mul(nu_2 / d2).addcmul_(p.grad, p.grad, { value: 1 - nu_2 });
    p.addcdiv_(num, variance.sqrt_().add_(eps), { value: -lr });
  },
);

/**
 * Steps by the learning rate of the layer: `p -= local_lr * g`, where `g` is `grad_avg` if a stat made it, else the gradient.
 *
 * Source: You et al. 2017; fastai's `larc_step`.
 */
export const larcStep = elementwise(
  { name: 'larcStep', needs: ['local_lr'], optional: ['grad_avg'] },
  ({ p, g, local_lr, grad_avg = g }) => ({ p: p.sub(grad_avg.mul(local_lr)) }),
);

/**
 * Applies one LAMB step: `p -= lr * q * s`, with Adam's `s = grad_avg / d1 / (sqrt(sqr_avg / d2) + eps)` and
 * `q = min(rms(p) / rms(s), 10)`, or 1 where one of the two is 0. `eps` is 1e-6 unless set.
 *
 * Source: You et al. 2020; fastai's `lamb_step`.
 */
export const lambStep = elementwise(
  {
    name: 'lambStep',
    needs: ['step', 'grad_avg', 'sqr_avg'],
    hypers: ['lr', 'mom', 'sqr_mom', 'eps'],
    defaults: { eps: 1e-6 },
  },
  ({ p, step, grad_avg, sqr_avg, lr, mom, sqr_mom, eps }) => {
    const denom = debiased(sqr_avg, sqr_mom, step).sqrt().add(eps);
    const s = debiased(grad_avg, mom, step).div(denom);
    const [r1, r2] = [rms(p), rms(s)];
    const q = where(r1.eq(0).logicalOr(r2.eq(0)), 1, r1.div(r2).clampMax(10));
    return { p: p.sub(s, { alpha: q.mul(lr) }) };
  },
);

/** The root of the mean square of all elements. */
export function rms(x: Expr): Expr {
  return x.square().mean().sqrt();
}
