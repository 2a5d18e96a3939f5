import type { AdamHyper, AdamOptions } from './adam';
import { adamStep, averageGrad, averageSqrGrad, stepStat, weightDecay } from './callbacks';
import { checkFactory, engineOptions, type OptimizerOf } from './factory';
import { Optimizer } from './optimizer';
import type { Params } from './params';

/** The options of `AdamW`: those of `Adam`, but its decay is always decoupled. */
export type AdamWOptions = Omit<AdamOptions, 'decouple_wd'>;

/**
 * Makes PyTorch's `AdamW`: the callbacks of `Adam` with PyTorch's defaults, `mom` 0.9, `sqr_mom` 0.999, `eps` 1e-8, `wd` 0.01.
 * `weightDecay`, `averageGrad({ dampening: true })`, `averageSqrGrad()`, `stepStat`, `adamStep`.
 *
 * Source: Loshchilov and Hutter 2019; `torch.optim.AdamW`. fastai has no such name: its `Adam` is decoupled, too.
 * @param params a tensor, tensors (one group), or groups of tensors.
 * @throws UnknownOptionError for an option that it doesn't take; ArgumentError without `lr`.
 * @example
 * ```ts
 * const opt = AdamW(model.parameters(), { lr: 1e-3 });
 * ```
 */
export function AdamW(params: Params, options: AdamWOptions): OptimizerOf<AdamHyper> {
  checkFactory('AdamW', options, ['mom', 'sqr_mom', 'eps'], ['lr', 'wd', 'fused', 'stateDtype']);
  const { lr, mom = 0.9, sqr_mom = 0.999, eps = 1e-8, wd = 0.01 } = options;
  return new Optimizer(
    params,
    [weightDecay, averageGrad({ dampening: true }), averageSqrGrad(), stepStat, adamStep],
    { lr, mom, sqr_mom, eps, wd },
    engineOptions(options),
  );
}
