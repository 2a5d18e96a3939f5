import type { AdamHyper, AdamOptions } from './adam';
import { averageGrad, averageSqrGrad, qhadamStep, stepStat } from './callbacks';
import { checkFactory, decayOf, engineOptions, type OptimizerOf } from './factory';
import { Optimizer } from './optimizer';
import type { Params } from './params';
import type { HyperValue } from './types';

/** The options of `QHAdam`. */
export interface QHAdamOptions extends AdamOptions {
  /** The share of the average in the numerator, the rest being the gradient; 0.7 where it isn't given. */
  readonly nu_1?: HyperValue;
  /** The share of the average in the variance, the rest being the squared gradient; 1 where it isn't given. */
  readonly nu_2?: HyperValue;
}

/**
 * Makes a quasi-hyperbolic Adam: decay, `averageGrad({ dampening: true })`, `averageSqrGrad()`, `stepStat`, `qhadamStep`.
 *
 * Source: Ma and Yarats 2019; fastai's `QHAdam`, with its defaults: `mom` 0.999, `sqr_mom` 0.999, `nu_1` 0.7, `nu_2` 1,
 * `eps` 1e-8, `wd` 0.
 * @param params a tensor, tensors (one group), or groups of tensors.
 * @throws UnknownOptionError for an option that it doesn't take; ArgumentError without `lr`.
 * @example
 * ```ts
 * const opt = QHAdam(model.parameters(), { lr: 1e-3 });
 * ```
 */
export function QHAdam(
  params: Params,
  options: QHAdamOptions,
): OptimizerOf<AdamHyper | 'nu_1' | 'nu_2'> {
  checkFactory('QHAdam', options, ['mom', 'sqr_mom', 'nu_1', 'nu_2', 'eps']);
  const { lr, mom = 0.999, sqr_mom = 0.999, nu_1 = 0.7, nu_2 = 1, eps = 1e-8 } = options;
  const { wd = 0 } = options;
  return new Optimizer(
    params,
    [decayOf(options), averageGrad({ dampening: true }), averageSqrGrad(), stepStat, qhadamStep],
    { lr, mom, sqr_mom, nu_1, nu_2, eps, wd },
    engineOptions(options),
  );
}
