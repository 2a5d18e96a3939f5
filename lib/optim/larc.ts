import { averageGrad, larcLayerLr, larcStep } from './callbacks';
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

/** The options of `Larc`. */
export interface LarcOptions extends OptimizerFactoryOptions {
  /** The momentum; 0.9 where it isn't given, 0 for none. */
  readonly mom?: HyperValue;
  /** Keeps the learning rate of a layer at most `lr` (LARC, the default); without it, it is LARS. */
  readonly clip?: boolean;
  /** How far a step may go, as a share of the parameter's norm; 0.02 where it isn't given. */
  readonly trust_coeff?: HyperValue;
  /** Added to the norm of the gradient; 1e-8 where it isn't given. */
  readonly eps?: HyperValue;
}

/**
 * Makes a LARC: decay, `averageGrad()`, `larcLayerLr({ clip })`, `larcStep`; without the average when `mom` is 0. The choice is
 * made once.
 *
 * Source: You et al. 2017; fastai's `Larc`, with its defaults: `mom` 0.9, `clip` true, `trust_coeff` 0.02, `eps` 1e-8, `wd` 0.
 * @param params a tensor, tensors (one group), or groups of tensors.
 * @throws UnknownOptionError for an option that it doesn't take; ArgumentError without `lr`.
 * @example
 * ```ts
 * const opt = Larc(model.parameters(), { lr: 0.1 });
 * ```
 */
export function Larc(
  params: Params,
  options: LarcOptions,
): OptimizerOf<'lr' | 'mom' | 'trust_coeff' | 'eps' | 'wd'> {
  checkFactory('Larc', options, ['mom', 'clip', 'trust_coeff', 'eps']);
  const { lr, mom = 0.9, clip = true, trust_coeff = 0.02, eps = 1e-8, wd = 0 } = options;
  return mom === 0
    ? new Optimizer(
        params,
        [decayOf(options), larcLayerLr({ clip }), larcStep],
        { lr, trust_coeff, eps, wd },
        engineOptions(options),
      )
    : new Optimizer(
        params,
        [decayOf(options), averageGrad(), larcLayerLr({ clip }), larcStep],
        { lr, mom, trust_coeff, eps, wd },
        engineOptions(options),
      );
}
