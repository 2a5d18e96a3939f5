import { averageGrad, averageSqrGrad, rmsPropStep } from './callbacks';
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

/** The options of `RMSProp`. */
export interface RMSPropOptions extends OptimizerFactoryOptions {
  /** The momentum; 0, for none, where it isn't given. */
  readonly mom?: HyperValue;
  /** The share of the old average of squared gradients in each step ("alpha"); 0.99 where it isn't given. */
  readonly sqr_mom?: HyperValue;
  /** Added to the denominator; 1e-8 where it isn't given. */
  readonly eps?: HyperValue;
}

/**
 * Makes an RMSProp. Without `mom`: decay, `averageSqrGrad()`, `rmsPropStep`; with it: decay, `averageGrad()`,
 * `averageSqrGrad()`, `rmsPropStep`. The choice is made once.
 *
 * Source: fastai's `RMSProp`, with its defaults: `mom` 0, `sqr_mom` 0.99, `eps` 1e-8, `wd` 0. There `eps` does nothing.
 * @param params a tensor, tensors (one group), or groups of tensors.
 * @throws UnknownOptionError for an option that it doesn't take; ArgumentError without `lr`.
 * @example
 * ```ts
 * const opt = RMSProp(model.parameters(), { lr: 1e-3, mom: 0.9 });
 * ```
 */
export function RMSProp(
  params: Params,
  options: RMSPropOptions,
): OptimizerOf<'lr' | 'mom' | 'sqr_mom' | 'eps' | 'wd'> {
  checkFactory('RMSProp', options, ['mom', 'sqr_mom', 'eps']);
  const { lr, mom = 0, sqr_mom = 0.99, eps = 1e-8, wd = 0 } = options;
  return mom === 0
    ? new Optimizer(
        params,
        [decayOf(options), averageSqrGrad(), rmsPropStep],
        { lr, sqr_mom, eps, wd },
        engineOptions(options),
      )
    : new Optimizer(
        params,
        [decayOf(options), averageGrad(), averageSqrGrad(), rmsPropStep],
        { lr, mom, sqr_mom, eps, wd },
        engineOptions(options),
      );
}
