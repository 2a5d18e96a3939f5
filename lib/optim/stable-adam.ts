import type { AdamHyper, AdamOptions } from './adam';
import { averageGrad, averageSqrGrad, stepStat } from './callbacks';
import { checkFactory, decayOf, engineOptions, type OptimizerOf } from './factory';
import { stableAdamStep } from './newer-callbacks';
import { Optimizer } from './optimizer';
import type { Params } from './params';

/**
 * Makes an Adam whose steps are clipped: decay, `averageGrad({ dampening: true })`, `averageSqrGrad()`, `stepStat`,
 * `stableAdamStep`.
 *
 * Source: Wortsman et al. 2023 ("StableAdamW"); the decay is not clipped. Defaults: `mom` 0.9, `sqr_mom` 0.99, `eps` 1e-8,
 * `wd` 0.01.
 * @param params a tensor, tensors (one group), or groups of tensors.
 * @throws UnknownOptionError for an option that it doesn't take; ArgumentError without `lr`.
 * @example
 * ```ts
 * const opt = StableAdam(model.parameters(), { lr: 1e-3 });
 * ```
 */
export function StableAdam(params: Params, options: AdamOptions): OptimizerOf<AdamHyper> {
  checkFactory('StableAdam', options, ['mom', 'sqr_mom', 'eps']);
  const { lr, mom = 0.9, sqr_mom = 0.99, eps = 1e-8, wd = 0.01 } = options;
  return new Optimizer(
    params,
    [
      decayOf(options),
      averageGrad({ dampening: true }),
      averageSqrGrad(),
      stepStat,
      stableAdamStep,
    ],
    { lr, mom, sqr_mom, eps, wd },
    engineOptions(options),
  );
}
