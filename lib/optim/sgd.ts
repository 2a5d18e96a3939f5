import { averageGrad, momentumStep, sgdStep } from './callbacks';
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

/** The options of `SGD`. */
export interface SGDOptions extends OptimizerFactoryOptions {
  /** The momentum; 0, for none, where it isn't given. */
  readonly mom?: HyperValue;
}

/**
 * Makes a stochastic gradient descent. Without `mom`: decay, `sgdStep`; with it: decay, `averageGrad()`, `momentumStep`.
 * The choice is made once: an optimizer made without momentum has no hyper-parameter `mom`.
 *
 * Source: fastai's `SGD`, with its defaults: `mom` 0, `wd` 0.
 * @param params a tensor, tensors (one group), or groups of tensors.
 * @throws UnknownOptionError for an option that it doesn't take; ArgumentError without `lr`.
 * @example
 * ```ts
 * const opt = SGD(model.parameters(), { lr: 0.1, mom: 0.9 });
 * ```
 */
export function SGD(params: Params, options: SGDOptions): OptimizerOf<'lr' | 'mom' | 'wd'> {
  checkFactory('SGD', options, ['mom']);
  const { lr, mom = 0, wd = 0 } = options;
  return mom === 0
    ? new Optimizer(params, [decayOf(options), sgdStep], { lr, wd }, engineOptions(options))
    : new Optimizer(
        params,
        [decayOf(options), averageGrad(), momentumStep],
        { lr, mom, wd },
        engineOptions(options),
      );
}
