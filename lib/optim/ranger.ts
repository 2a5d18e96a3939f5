import { checkFactory } from './factory';
import { Lookahead, type LookaheadOptions } from './lookahead';
import type { Params } from './params';
import { RAdam, type RAdamOptions } from './radam';

/** The options of `Ranger`: those of `RAdam` and `Lookahead`. */
export interface RangerOptions extends RAdamOptions, LookaheadOptions {}

/**
 * Makes a Ranger, `Lookahead` round `RAdam`.
 *
 * Source: Wright 2019; fastai's `ranger`, with its defaults: `mom` 0.95, `sqr_mom` 0.99, `eps` 1e-6, `wd` 0.01, `beta` 0, `k` 6,
 * `alpha` 0.5.
 * @param params a tensor, tensors (one group), or groups of tensors.
 * @throws UnknownOptionError for an option that it doesn't take; ArgumentError without `lr`.
 * @example
 * ```ts
 * const opt = Ranger(model.parameters(), { lr: 1e-3 });
 * ```
 */
export function Ranger(params: Params, options: RangerOptions): Lookahead {
  checkFactory('Ranger', options, ['mom', 'sqr_mom', 'eps', 'beta', 'k', 'alpha']);
  const { k = 6, alpha = 0.5, ...rest } = options;
  return new Lookahead(RAdam(params, { mom: 0.95, eps: 1e-6, wd: 0.01, ...rest }), { k, alpha });
}
