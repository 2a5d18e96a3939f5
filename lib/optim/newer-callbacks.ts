// The callbacks of optimizers that fastai lacks.
import { statCallback, stepCallback } from './callback';
import { debiased, rms } from './callbacks';
import { debias } from './debias';
import { elementwise } from './elementwise';
import { where } from './expression';
import { zeroState } from './state';

// ---- PyTorch's NAdam ----

// The momentum of a step in PyTorch's NAdam: from half of `mom` at the first steps up to `mom`.
function scheduledMom(mom: number, momentumDecay: number, step: number): number {
  return mom * (1 - 0.5 * 0.96 ** (step * momentumDecay));
}

/**
 * Multiplies the momenta of all steps so far, as `mu_product`: `mu = mom * (1 - 0.96 ** (step * momentum_decay) / 2)`.
 * `momentum_decay` is 0.004 unless set.
 *
 * Source: `torch.optim.NAdam`.
 */
export const muProduct = statCallback(
  {
    name: 'muProduct',
    state: ['mu_product'],
    needs: ['step'],
    hypers: ['mom', 'momentum_decay'],
    defaults: { momentum_decay: 4e-3 },
  },
  (_p, { step, mu_product = 1 }, { mom, momentum_decay }) => ({
    mu_product: mu_product * scheduledMom(mom, momentum_decay, step),
  }),
);

/**
 * Applies one step of PyTorch's NAdam: `p -= lr * (c1 * grad + c2 * grad_avg) / (sqrt(sqr_avg / d2) + eps)`, with
 * `c1 = (1 - mu) / (1 - mu_product)`, `c2 = mu' / (1 - mu_product * mu')`, where `mu` is the momentum of `muProduct` in this
 * step and `mu'` that in the next one. `eps` is 1e-8 unless set.
 *
 * Source: Dozat 2016 as `torch.optim.NAdam` has it; `nadamStep` is the form without a schedule.
 */
export const torchNadamStep = stepCallback(
  {
    name: 'torchNadamStep',
    state: ['step', 'grad_avg', 'sqr_avg', 'mu_product'],
    hypers: ['lr', 'mom', 'sqr_mom', 'eps', 'momentum_decay'],
    defaults: { eps: 1e-8, momentum_decay: 4e-3 },
  },
  (p, { step, grad_avg, sqr_avg, mu_product }, { lr, mom, sqr_mom, eps, momentum_decay }) => {
    const mu = scheduledMom(mom, momentum_decay, step);
    const next = scheduledMom(mom, momentum_decay, step + 1);
    const denom = sqr_avg
      .div(debias(sqr_mom, 1 - sqr_mom, step))
      .sqrt_()
      .add_(eps);
    p.addcdiv_(p.grad, denom, { value: (-lr * (1 - mu)) / (1 - mu_product) });
    p.addcdiv_(grad_avg, denom, { value: (-lr * next) / (1 - mu_product * next) });
  },
);

// ---- Lion ----

/**
 * Steps by the sign: `p -= lr * sign(mom * grad_avg + (1 - mom) * grad)`, with the average of the steps before this one
 * (`lionAverage` comes after it), or the gradient's sign in the first.
 *
 * Source: Chen et al. 2023.
 */
export const lionStep = stepCallback(
  { name: 'lionStep', optional: ['grad_avg'], hypers: ['lr', 'mom'] },
  (p, { grad_avg }, { lr, mom }) => {
    const direction = grad_avg?.mul(mom).add_(p.grad, { alpha: 1 - mom }) ?? p.grad;
    p.sub_(direction.sign(), { alpha: lr });
  },
);

/**
 * Keeps Lion's average: `grad_avg = sqr_mom * grad_avg + (1 - sqr_mom) * grad`, from zeros. It has no square; `sqr_mom` is
 * where the second beta is in all optimizers here. 0.99 unless set.
 *
 * Source: Chen et al. 2023.
 */
export const lionAverage = statCallback(
  { name: 'lionAverage', state: ['grad_avg'], hypers: ['sqr_mom'], defaults: { sqr_mom: 0.99 } },
  (p, { grad_avg = zeroState(p) }, { sqr_mom }) => ({
    grad_avg: grad_avg.mul_(sqr_mom).add_(p.grad, { alpha: 1 - sqr_mom }),
  }),
);

// ---- Adan ----

/**
 * Keeps what Adan knows of the change of the gradient, `diff = grad - last_grad` (0 in the first step): its average
 * `diff_avg`, and in `sqr_avg` the average of `(grad + diff_mom * diff) ** 2`. Unless set, `diff_mom` is 0.92 and `sqr_mom`
 * 0.99.
 *
 * Source: Xie et al. 2022.
 */
export const averageDiff = elementwise(
  {
    name: 'averageDiff',
    state: ['diff_avg', 'sqr_avg', 'last_grad'],
    needs: ['step'],
    hypers: ['diff_mom', 'sqr_mom'],
    defaults: { diff_mom: 0.92, sqr_mom: 0.99 },
  },
  ({ g, step, diff_avg, sqr_avg, last_grad, diff_mom, sqr_mom }) => {
    const diff = where(step.eq(1), 0, g.sub(last_grad));
    const ahead = g.add(diff.mul(diff_mom));
    return {
      diff_avg: diff_avg.mul(diff_mom).add(diff.mul(diff_mom.rsub(1))),
      sqr_avg: sqr_avg.mul(sqr_mom).add(ahead.square().mul(sqr_mom.rsub(1))),
      last_grad: g,
    };
  },
);

/**
 * Applies one Adan step: `p -= lr * (grad_avg / d1 + diff_mom * diff_avg / d3) / (sqrt(sqr_avg / d2) + eps)`, with `d1`, `d2`
 * and `d3` from `mom`, `sqr_mom` and `diff_mom`. `eps` is 1e-8 unless set.
 *
 * Source: Xie et al. 2022.
 */
export const adanStep = elementwise(
  {
    name: 'adanStep',
    needs: ['step', 'grad_avg', 'diff_avg', 'sqr_avg'],
    hypers: ['lr', 'mom', 'diff_mom', 'sqr_mom', 'eps'],
    defaults: { eps: 1e-8 },
  },
  ({ p, step, grad_avg, diff_avg, sqr_avg, lr, mom, diff_mom, sqr_mom, eps }) => {
    const denom = debiased(sqr_avg, sqr_mom, step).sqrt().add(eps);
    const ahead = debiased(diff_avg, diff_mom, step).mul(diff_mom);
    return { p: p.sub(debiased(grad_avg, mom, step).add(ahead).div(denom).mul(lr)) };
  },
);

// ---- StableAdam ----

/**
 * Applies one Adam step whose size is clipped: divided by `max(1, rms(grad / denom))`, with Adam's
 * `denom = sqrt(sqr_avg / d2) + eps`. A gradient that is large against `sqr_avg` can't make a large step. `eps` is 1e-8
 * unless set.
 *
 * Source: Wortsman et al. 2023, after AdaFactor.
 */
export const stableAdamStep = elementwise(
  {
    name: 'stableAdamStep',
    needs: ['step', 'grad_avg', 'sqr_avg'],
    hypers: ['lr', 'mom', 'sqr_mom', 'eps'],
    defaults: { eps: 1e-8 },
  },
  ({ p, g, step, grad_avg, sqr_avg, lr, mom, sqr_mom, eps }) => {
    const denom = debiased(sqr_avg, sqr_mom, step).sqrt().add(eps);
    const excess = rms(g.div(denom)).clampMin(1);
    return { p: p.sub(debiased(grad_avg, mom, step).div(denom.mul(excess)).mul(lr)) };
  },
);
