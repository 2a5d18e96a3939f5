import type { AdamHyper, AdamOptions } from './adam';
import { averageGrad, averageSqrGrad, lambStep, stepStat } from './callbacks';
import { checkFactory, decayOf, engineOptions, type OptimizerOf } from './factory';
import { Optimizer } from './optimizer';
import type { Params } from './params';

/**
 * Makes a LAMB: decay, `averageGrad({ dampening: true })`, `averageSqrGrad()`, `stepStat`, `lambStep`.
 *
 * Source: You et al. 2020; fastai's `Lamb`, with its defaults: `mom` 0.9, `sqr_mom` 0.99, `eps` 1e-5, `wd` 0.
 * @param params a tensor, tensors (one group), or groups of tensors.
 * @throws UnknownOptionError for an option that it doesn't take; ArgumentError without `lr`.
 * @example
 * ```ts
 * const opt = Lamb(model.parameters(), { lr: 1e-3 });
 * ```
 */
export function Lamb(params: Params, options: AdamOptions): OptimizerOf<AdamHyper> {
  checkFactory('Lamb', options, ['mom', 'sqr_mom', 'eps']);
  const { lr, mom = 0.9, sqr_mom = 0.99, eps = 1e-5, wd = 0 } = options;
  return new Optimizer(
    params,
    [decayOf(options), averageGrad({ dampening: true }), averageSqrGrad(), stepStat, lambStep],
    { lr, mom, sqr_mom, eps, wd },
    engineOptions(options),
  );
}
