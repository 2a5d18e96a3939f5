import type { AdamHyper, AdamOptions } from './adam';
import { averageGrad, stepStat } from './callbacks';
import { checkFactory, decayOf, engineOptions, type OptimizerOf } from './factory';
import { adanStep, averageDiff } from './newer-callbacks';
import { Optimizer } from './optimizer';
import type { Params } from './params';
import type { HyperValue } from './types';

/** The options of `Adan`. */
export interface AdanOptions extends AdamOptions {
  /** The share of the old average of differences in each step ("beta 2" of the three); 0.92 where it isn't given. */
  readonly diff_mom?: HyperValue;
}

/**
 * Makes an Adan, Adam with Nesterov momentum from the change of the gradient: decay, `stepStat`,
 * `averageGrad({ dampening: true })`, `averageDiff`, `adanStep`.
 *
 * Source: Xie et al. 2022, with the betas as shares of the old average. Defaults: `mom` 0.98, `diff_mom` 0.92, `sqr_mom` 0.99,
 * `eps` 1e-8, `wd` 0.
 * @param params a tensor, tensors (one group), or groups of tensors.
 * @throws UnknownOptionError for an option that it doesn't take; ArgumentError without `lr`.
 * @example
 * ```ts
 * const opt = Adan(model.parameters(), { lr: 1e-3, wd: 0.02 });
 * ```
 */
export function Adan(params: Params, options: AdanOptions): OptimizerOf<AdamHyper | 'diff_mom'> {
  checkFactory('Adan', options, ['mom', 'diff_mom', 'sqr_mom', 'eps']);
  const { lr, mom = 0.98, diff_mom = 0.92, sqr_mom = 0.99, eps = 1e-8, wd = 0 } = options;
  return new Optimizer(
    params,
    [decayOf(options), stepStat, averageGrad({ dampening: true }), averageDiff, adanStep],
    { lr, mom, diff_mom, sqr_mom, eps, wd },
    engineOptions(options),
  );
}
