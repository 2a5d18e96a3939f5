import { checkFlags } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { l2Reg, weightDecay } from './callbacks';
import type { DeclaredCallback } from './callback';
import { hyperHints } from './hypers';
import type { Optimizer } from './optimizer';
import type { OptimizerOptions } from './options';
import type { Params } from './params';
import type { HyperValue } from './types';

/** What every optimizer factory takes. */
export interface OptimizerFactoryOptions extends OptimizerOptions {
  /** The learning rate: a number, one for each group, or a slice. */
  readonly lr: HyperValue;
  /** The weight decay. */
  readonly wd?: HyperValue;
  /** Decays the weights themselves (`weightDecay`, the default) or adds an L2 penalty to the gradient (`l2Reg`). */
  readonly decouple_wd?: boolean;
}

/** An optimizer of which is known what hyper-parameters it has: `setHypers` takes no others. */
export type OptimizerOf<H extends string> = Optimizer<
  readonly DeclaredCallback<string, string, H, H>[]
>;

/** Makes an optimizer for some parameters: `SGD`, `Adam`, `Nadam`, or a function of yours. */
export type OptFunc = (params: Params, options: { readonly lr: HyperValue }) => Optimizer;

const common = ['lr', 'wd', 'decouple_wd', 'fused', 'stateDtype'];

/** Refuses options that a factory doesn't know, and a missing learning rate. */
export function checkFactory(
  name: string,
  options: OptimizerFactoryOptions,
  own: readonly string[],
  shared: readonly string[] = common,
): void {
  checkOptions(name, options, [...shared, ...own], hyperHints);
  checkFlags(name, options, ['decouple_wd']);
  if (!('lr' in options))
    throw new ArgumentError(`${name}: expected a learning rate, got none; pass { lr: ... }`);
}

/** Chooses the callback for weight decay, which comes first. */
export function decayOf({
  decouple_wd = true,
}: Pick<OptimizerFactoryOptions, 'decouple_wd'>): typeof weightDecay {
  return decouple_wd ? weightDecay : l2Reg;
}

/** Takes the options of `new Optimizer` out of those of a factory. */
export function engineOptions({ fused, stateDtype }: OptimizerOptions): OptimizerOptions {
  return {
    ...(fused === undefined ? {} : { fused }),
    ...(stateDtype === undefined ? {} : { stateDtype }),
  };
}
