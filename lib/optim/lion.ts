import {
  checkFactory,
  decayOf,
  engineOptions,
  type OptimizerFactoryOptions,
  type OptimizerOf,
} from './factory';
import { lionAverage, lionStep } from './newer-callbacks';
import { Optimizer } from './optimizer';
import type { Params } from './params';
import type { HyperValue } from './types';

/** The options of `Lion`. */
export interface LionOptions extends OptimizerFactoryOptions {
  /** The share of the average in the direction of a step ("beta 1"); 0.9 where it isn't given. */
  readonly mom?: HyperValue;
  /** The share of the old average in the new one ("beta 2"); 0.99 where it isn't given. */
  readonly sqr_mom?: HyperValue;
}

/**
 * Makes a Lion, which steps by the sign of an average: decay, `lionStep`, `lionAverage`. It wants a learning rate 3 to 10 times
 * smaller than Adam's, and a weight decay larger by as much.
 *
 * Source: Chen et al. 2023. Defaults: `mom` 0.9, `sqr_mom` 0.99, `wd` 0.
 * @param params a tensor, tensors (one group), or groups of tensors.
 * @throws UnknownOptionError for an option that it doesn't take; ArgumentError without `lr`.
 * @example
 * ```ts
 * const opt = Lion(model.parameters(), { lr: 1e-4, wd: 0.1 });
 * ```
 */
export function Lion(
  params: Params,
  options: LionOptions,
): OptimizerOf<'lr' | 'mom' | 'sqr_mom' | 'wd'> {
  checkFactory('Lion', options, ['mom', 'sqr_mom']);
  const { lr, mom = 0.9, sqr_mom = 0.99, wd = 0 } = options;
  return new Optimizer(
    params,
    [decayOf(options), lionStep, lionAverage],
    { lr, mom, sqr_mom, wd },
    engineOptions(options),
  );
}
