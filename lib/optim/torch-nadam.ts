import type { AdamHyper, AdamOptions } from './adam';
import { averageGrad, averageSqrGrad, stepStat } from './callbacks';
import { checkFactory, decayOf, engineOptions, type OptimizerOf } from './factory';
import { muProduct, torchNadamStep } from './newer-callbacks';
import { Optimizer } from './optimizer';
import type { Params } from './params';
import type { HyperValue } from './types';

/** The options of `TorchNadam`. */
export interface TorchNadamOptions extends AdamOptions {
  /** How fast the momentum grows from `mom / 2` to `mom` ("psi"); 0.004 where it isn't given. */
  readonly momentum_decay?: HyperValue;
}

/**
 * Makes PyTorch's `NAdam`, which schedules its momentum: decay, `averageGrad({ dampening: true })`, `averageSqrGrad()`,
 * `stepStat`, `muProduct`, `torchNadamStep`. `Nadam` is the form without a schedule.
 *
 * Source: Dozat 2016; `torch.optim.NAdam`, with its defaults: `mom` 0.9, `sqr_mom` 0.999, `eps` 1e-8, `wd` 0,
 * `momentum_decay` 0.004, and a decay that is not decoupled.
 * @param params a tensor, tensors (one group), or groups of tensors.
 * @throws UnknownOptionError for an option that it doesn't take; ArgumentError without `lr`.
 * @example
 * ```ts
 * const opt = TorchNadam(model.parameters(), { lr: 2e-3 });
 * ```
 */
export function TorchNadam(
  params: Params,
  options: TorchNadamOptions,
): OptimizerOf<AdamHyper | 'momentum_decay'> {
  checkFactory('TorchNadam', options, ['mom', 'sqr_mom', 'eps', 'momentum_decay']);
  const { lr, mom = 0.9, sqr_mom = 0.999, eps = 1e-8, wd = 0, momentum_decay = 4e-3 } = options;
  const { decouple_wd = false } = options;
  return new Optimizer(
    params,
    [
      decayOf({ decouple_wd }),
      averageGrad({ dampening: true }),
      averageSqrGrad(),
      stepStat,
      muProduct,
      torchNadamStep,
    ],
    { lr, mom, sqr_mom, eps, wd, momentum_decay },
    engineOptions(options),
  );
}
