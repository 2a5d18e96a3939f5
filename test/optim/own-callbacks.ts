// Optimizers as users may write them: each recorded, and as plain callbacks that say the same in tensors.
import {
  averageGrad,
  averageSqrGrad,
  debias,
  elementwise,
  l2Reg,
  Optimizer,
  statCallback,
  stepCallback,
  stepStat,
  weightDecay,
  where,
  type AnyCallback,
} from '../../lib/optim';
import { linalgVectorNorm, zerosLike } from '../../lib/ops';
import { tensor } from '../../lib/tensor/create';
import type { Make } from './both-ways';

// ---- Reddi et al. 2018, as torch.optim.Adam with amsgrad ----

const adamHypers = ['lr', 'mom', 'sqr_mom', 'eps'] as const;

const amsGradStep = elementwise(
  {
    name: 'amsGradStep',
    state: ['max_sqr'],
    needs: ['step', 'grad_avg', 'sqr_avg'],
    hypers: adamHypers,
  },
  ({ p, step, grad_avg, sqr_avg, max_sqr, lr, mom, sqr_mom, eps }) => {
    const largest = max_sqr.maximum(sqr_avg);
    const denom = largest
      .div(debias(sqr_mom, sqr_mom.rsub(1), step))
      .sqrt()
      .add(eps);
    const size = lr.div(debias(mom, mom.rsub(1), step));
    return { p: p.addcdiv(grad_avg, denom, { value: size.neg() }), max_sqr: largest };
  },
);

const plainAmsGrad = statCallback(
  { state: ['max_sqr'], needs: ['step', 'grad_avg', 'sqr_avg'], hypers: adamHypers },
  (p, { step, grad_avg, sqr_avg, max_sqr = zerosLike(sqr_avg) }, { lr, mom, sqr_mom, eps }) => {
    const largest = max_sqr.maximum(sqr_avg);
    const denom = largest
      .div(1 - sqr_mom ** step)
      .sqrt_()
      .add_(eps);
    p.addcdiv_(grad_avg, denom, { value: -lr / (1 - mom ** step) });
    return { max_sqr: largest };
  },
);

// ---- torch.optim.RMSprop with centered: one callback makes both averages ----

const rmsHypers = ['lr', 'sqr_mom', 'eps'] as const;

const centredStep = elementwise(
  { name: 'centredStep', state: ['grad_avg', 'sqr_avg'], hypers: rmsHypers },
  ({ p, g, grad_avg, sqr_avg, lr, sqr_mom, eps }) => {
    const mean = grad_avg.lerp(g, sqr_mom.rsub(1));
    const sqr = sqr_avg.lerp(g.square(), sqr_mom.rsub(1));
    const denom = sqr.sub(mean.square()).sqrt().add(eps);
    return { p: p.sub(g.div(denom), { alpha: lr }), grad_avg: mean, sqr_avg: sqr };
  },
);

const plainCentred = statCallback(
  { state: ['grad_avg', 'sqr_avg'], hypers: rmsHypers },
  (p, { grad_avg = zerosLike(p), sqr_avg = zerosLike(p) }, { lr, sqr_mom, eps }) => {
    grad_avg.mul_(sqr_mom).add_(p.grad, { alpha: 1 - sqr_mom });
    sqr_avg.mul_(sqr_mom).addcmul_(p.grad, p.grad, { value: 1 - sqr_mom });
    p.addcdiv_(p.grad, sqr_avg.sub(grad_avg.square()).sqrt_().add_(eps), { value: -lr });
    return { grad_avg, sqr_avg };
  },
);

// ---- Liang et al. 2024, "Cautious Optimizers", of Lion: only where the gradient agrees ----

const lionHypers = ['lr', 'mom', 'sqr_mom', 'least'] as const;
const defaults = { least: 1e-3 };

const cautiousLion = elementwise(
  { name: 'cautiousLion', state: ['grad_avg'], hypers: lionHypers, defaults },
  ({ p, g, grad_avg, lr, mom, sqr_mom, least }) => {
    const direction = grad_avg
      .mul(mom)
      .add(g, { alpha: mom.rsub(1) })
      .sign();
    const agrees = direction.mul(g).gt(0);
    const size = lr.div(agrees.mean().clampMin(least));
    return {
      p: p.sub(direction.mul(agrees).mul(size)),
      grad_avg: grad_avg.mul(sqr_mom).add(g, { alpha: sqr_mom.rsub(1) }),
    };
  },
);

const plainCautious = statCallback(
  { state: ['grad_avg'], hypers: lionHypers, defaults },
  (p, { grad_avg = zerosLike(p) }, { lr, mom, sqr_mom, least }) => {
    const direction = grad_avg
      .mul(mom)
      .add_(p.grad, { alpha: 1 - mom })
      .sign_();
    const agrees = direction.mul(p.grad).gt(0).to(p.dtype);
    p.sub_(direction.mul_(agrees).div_(agrees.mean().clampMin(least)), { alpha: lr });
    return { grad_avg: grad_avg.mul_(sqr_mom).add_(p.grad, { alpha: 1 - sqr_mom }) };
  },
);

// ---- gradients clipped to what their norm is on average, one number of state, then SGD with the decay in one ----

const clipHypers = ['mom', 'factor'] as const;

const clipToAverage = elementwise(
  { name: 'clipToAverage', state: ['norm_avg'], needs: ['step'], hypers: clipHypers },
  ({ g, step, norm_avg, mom, factor }) => {
    const norm = g.norm();
    const before = norm_avg.div(debias(mom, mom.rsub(1), step.sub(1)));
    const bound = where(step.eq(1), norm, before.mul(factor));
    return {
      g: g.mul(bound.div(norm).clampMax(1)),
      norm_avg: norm_avg.lerp(norm.minimum(bound), mom.rsub(1)),
    };
  },
);

const decayedStep = elementwise(
  { name: 'decayedStep', needs: ['norm_avg'], hypers: ['lr', 'shrink'] },
  ({ p, g, do_wd, norm_avg, lr, shrink }) => ({
    p: p.mul(lr.mul(shrink).mul(do_wd).rsub(1)).sub(g.div(norm_avg.add(1)).mul(lr)),
  }),
);

const plainClip = statCallback(
  { state: ['norm_avg'], needs: ['step'], hypers: clipHypers },
  (p, { step, norm_avg = tensor(0, { dtype: p.dtype }) }, { mom, factor }) => {
    const norm = linalgVectorNorm(p.grad);
    const bound = step === 1 ? norm : norm_avg.mul(factor / (1 - mom ** (step - 1)));
    const next = norm_avg.add(norm.minimum(bound).sub(norm_avg), { alpha: 1 - mom });
    p.grad.mul_(bound.div(norm).clampMax(1));
    return { norm_avg: next };
  },
);

const plainDecayed = stepCallback(
  { state: ['norm_avg'], optional: ['do_wd'], hypers: ['lr', 'shrink'] },
  (p, { norm_avg, do_wd = true }, { lr, shrink }) => {
    if (do_wd) p.mul_(1 - lr * shrink);
    p.sub_(p.grad.div(norm_avg.add(1)), { alpha: lr });
  },
);

// ---- the optimizers ----

const adamStats = [averageGrad({ dampening: true }), averageSqrGrad(), stepStat];
const adam = { mom: 0.9, sqr_mom: 0.99, eps: 1e-5 };
const rms = { sqr_mom: 0.9, eps: 1e-5 };
const lion = { mom: 0.9, sqr_mom: 0.99 };
const clip = { mom: 0.9, factor: 0.8, shrink: 0.1 };

// Without types of its callbacks, a list takes whatever hypers it reads.
function made(cbs: readonly AnyCallback[], hypers: Record<string, number>): Make {
  return (params, { lr, decouple_wd = true, fused = 'auto' }) => {
    const decay: AnyCallback = decouple_wd ? weightDecay : l2Reg;
    return new Optimizer(params, [decay, ...cbs], { wd: 0.01, ...hypers, lr }, { fused });
  };
}

/** By name: what was recorded, and its twin. */
export const own: Record<string, { recorded: Make; plain: Make }> = {
  AMSGrad: {
    recorded: made([...adamStats, amsGradStep], adam),
    plain: made([...adamStats, plainAmsGrad], adam),
  },
  'centred RMSProp': { recorded: made([centredStep], rms), plain: made([plainCentred], rms) },
  'cautious Lion': { recorded: made([cautiousLion], lion), plain: made([plainCautious], lion) },
  'SGD clipped to an average': {
    recorded: made([stepStat, clipToAverage, decayedStep], clip),
    plain: made([stepStat, plainClip, plainDecayed], clip),
  },
};
