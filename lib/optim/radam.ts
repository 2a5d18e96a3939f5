import type { AdamHyper, AdamOptions } from './adam';
import { averageGrad, averageSqrGrad, radamStep, stepStat } from './callbacks';
import { checkFactory, decayOf, engineOptions, type OptimizerOf } from './factory';
import { Optimizer } from './optimizer';
import type { Params } from './params';
import type { HyperValue } from './types';

/** The options of `RAdam`. */
export interface RAdamOptions extends AdamOptions {
  /** Puts the denominator through `softplus` with this sharpness; 0, for not, where it isn't given. */
  readonly beta?: HyperValue;
}

/**
 * Makes an RAdam: decay, `averageGrad({ dampening: true })`, `averageSqrGrad()`, `stepStat`, `radamStep`.
 *
 * Source: Liu et al. 2020; fastai's `RAdam`, with its defaults: `mom` 0.9, `sqr_mom` 0.99, `eps` 1e-5, `wd` 0, `beta` 0.
 * @param params a tensor, tensors (one group), or groups of tensors.
 * @throws UnknownOptionError for an option that it doesn't take; ArgumentError without `lr`.
 * @example
 * ```ts
 * const opt = RAdam(model.parameters(), { lr: 1e-3 });
 * ```
 */
export function RAdam(params: Params, options: RAdamOptions): OptimizerOf<AdamHyper | 'beta'> {
  checkFactory('RAdam', options, ['mom', 'sqr_mom', 'eps', 'beta']);
  const { lr, mom = 0.9, sqr_mom = 0.99, eps = 1e-5, wd = 0, beta = 0 } = options;
  return new Optimizer(
    params,
    [decayOf(options), averageGrad({ dampening: true }), averageSqrGrad(), stepStat, radamStep],
    { lr, mom, sqr_mom, eps, wd, beta },
    engineOptions(options),
  );
}
