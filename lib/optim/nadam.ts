import type { AdamHyper, AdamOptions } from './adam';
import { averageGrad, averageSqrGrad, nadamStep, stepStat } from './callbacks';
import { checkFactory, decayOf, engineOptions, type OptimizerOf } from './factory';
import { Optimizer } from './optimizer';
import type { Params } from './params';

/**
 * Makes a NAdam: decay, `averageGrad({ dampening: true })`, `averageSqrGrad()`, `stepStat`, `nadamStep`.
 *
 * Source: Dozat 2016 in Ruder's form, as fastai's users write it; not `torch.optim.NAdam`, which schedules its momentum and is
 * `TorchNadam` here. Defaults: `mom` 0.9, `sqr_mom` 0.99, `eps` 1e-8, `wd` 0.01, decoupled.
 * @param params a tensor, tensors (one group), or groups of tensors.
 * @throws UnknownOptionError for an option that it doesn't take; ArgumentError without `lr`.
 * @example
 * ```ts
 * const p = tensor([1, 2, 3]);
 * p.grad = tensor([0.1, 0.1, 0.1]);
 * Nadam(p, { lr: 1 }).step();
 * String(p); // tensor([-0.91, 0.08, 1.07], float32)
 * ```
 */
export function Nadam(params: Params, options: AdamOptions): OptimizerOf<AdamHyper> {
  checkFactory('Nadam', options, ['mom', 'sqr_mom', 'eps']);
  const { lr, mom = 0.9, sqr_mom = 0.99, eps = 1e-8, wd = 0.01 } = options;
  return new Optimizer(
    params,
    [decayOf(options), averageGrad({ dampening: true }), averageSqrGrad(), stepStat, nadamStep],
    { lr, mom, sqr_mom, eps, wd },
    engineOptions(options),
  );
}
