import { adamStep, averageGrad, averageSqrGrad, stepStat } from './callbacks';
import {
  checkFactory,
  decayOf,
  engineOptions,
  type OptimizerFactoryOptions,
  type OptimizerOf,
} from './factory';
import { Optimizer } from './optimizer';
import type { Params } from './params';
import type { HyperValue } from './types';

/** The options of `Adam` and of those that have the same. */
export interface AdamOptions extends OptimizerFactoryOptions {
  /** The share of the old average of gradients in each step ("beta 1"); 0.9 where it isn't given. */
  readonly mom?: HyperValue;
  /** The share of the old average of squared gradients in each step ("beta 2"); 0.99 where it isn't given. */
  readonly sqr_mom?: HyperValue;
  /** Added to the denominator; 1e-5 for `Adam` and `Lamb`, 1e-8 for `Nadam` and `StableAdam`, where it isn't given. */
  readonly eps?: HyperValue;
}

/** The hyper-parameters of the optimizers that are kin to Adam. */
export type AdamHyper = 'lr' | 'mom' | 'sqr_mom' | 'eps' | 'wd';

/**
 * Makes an Adam: decay, `averageGrad({ dampening: true })`, `averageSqrGrad()`, `stepStat`, `adamStep`. Its decay is
 * decoupled ("AdamW") unless `decouple_wd` is false.
 *
 * Source: Kingma and Ba 2015; fastai's `Adam`, with its defaults: `mom` 0.9, `sqr_mom` 0.99, `eps` 1e-5, `wd` 0.01.
 * @param params a tensor, tensors (one group), or groups of tensors.
 * @throws UnknownOptionError for an option that it doesn't take; ArgumentError without `lr`.
 * @example
 * ```ts
 * const opt = Adam([body, head], { lr: slice(1e-5, 1e-3) });
 * ```
 */
export function Adam(params: Params, options: AdamOptions): OptimizerOf<AdamHyper> {
  checkFactory('Adam', options, ['mom', 'sqr_mom', 'eps']);
  const { lr, mom = 0.9, sqr_mom = 0.99, eps = 1e-5, wd = 0.01 } = options;
  return new Optimizer(
    params,
    [decayOf(options), averageGrad({ dampening: true }), averageSqrGrad(), stepStat, adamStep],
    { lr, mom, sqr_mom, eps, wd },
    engineOptions(options),
  );
}
