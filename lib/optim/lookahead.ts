import { inspect } from 'node:util';
import { checkRecord } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { noGrad } from '../tensor/autograd';
import { keep } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { averageWeights, type WeightAverage } from './extras';
import { Optimizer } from './optimizer';
import type { StepOptions } from './options';
import { zeroState } from './state';
import type { FastaiStateDict } from './state-dict-fastai';

/** The options of `Lookahead`. */
export interface LookaheadOptions {
  /** How many steps the fast weights take for one of the slow ones; 6 where it isn't given. */
  readonly k?: number;
  /** The share of the way to the fast weights that the slow ones go; 0.5 where it isn't given. */
  readonly alpha?: number;
}

/** The `state_dict` of fastai's `Lookahead`. */
export interface FastaiLookaheadDict extends FastaiStateDict {
  /** How many steps it has taken. */
  readonly count: number;
  /** The slow weights, group by group; null before the first step. */
  readonly slow_weights: readonly (readonly Tensor[])[] | null;
}

/**
 * Wraps an optimizer in Lookahead: every `k` steps, slow weights go a part of the way to where the parameters are, and the
 * parameters go back there: `slow += alpha * (p - slow)`, `p = slow`. The slow weights are in the state, as `slow_weights`,
 * with the steps so far as `count`, so that saving, loading and clearing the state includes them. Those of half-precision
 * parameters are float32. Where the callbacks have kernels, the slow weights move in the same pass.
 *
 * It takes over groups, hyper-parameters, callbacks and state of `opt`, which is disposed.
 *
 * Source: Zhang et al. 2019; fastai's `Lookahead`, with its defaults.
 *
 * @example
 * ```ts
 * const opt = new Lookahead(Adam(model.parameters(), { lr: 1e-3 }), { k: 5 });
 * ```
 */
export class Lookahead extends Optimizer {
  readonly k: number;
  readonly alpha: number;
  #average: WeightAverage | (() => void) | undefined;

  /**
   * @throws UnknownOptionError for another option; ArgumentError when `k` is no positive integer, or `opt` is an optimizer
   *   with a step of its own, such as `OptimWrapper`.
   */
  constructor(opt: Optimizer, options: LookaheadOptions = {}) {
    checkOptions('Lookahead', options, ['k', 'alpha']);
    const { k = 6, alpha = 0.5 } = options;
    if (!Number.isInteger(k) || k < 1)
      throw new ArgumentError(`Lookahead: expected a positive integer k, got ${inspect(k)}`);
    if (typeof alpha !== 'number' || Number.isNaN(alpha))
      throw new ArgumentError(`Lookahead: expected a number as alpha, got ${inspect(alpha)}`);
    const given: unknown = opt;
    if (!(given instanceof Optimizer)) {
      throw new ArgumentError(
        `Lookahead: expected an optimizer, got ${inspect(given, { depth: 0 })}`,
      );
    }
    if (opt.constructor !== Optimizer) {
      throw new ArgumentError(
        `Lookahead: expected an optimizer made of callbacks alone, got ${opt.constructor.name}, which steps in its own way`,
      );
    }
    if (opt.whyNotAlone !== undefined) {
      throw new ArgumentError(
        'Lookahead: expected an optimizer that no EMA follows, got one; make the EMA of the Lookahead',
      );
    }
    const { fused, stateDtype } = opt;
    super(opt.paramLists, opt.cbs, hypersByName(opt), { fused, stateDtype });
    this.k = k;
    this.alpha = alpha;
    this.state.takeFrom(opt.state);
    if (opt.frozenIdx > 0) this.freezeTo(opt.frozenIdx);
    opt.dispose();
  }

  /** Takes one step with the callbacks, and at each `k`th one with the slow weights, also of parameters without a gradient. */
  override step(options?: StepOptions): void {
    this.checkLive('step');
    const params = this.paramLists.flat();
    const states = params.map((p) => this.state.get(p));
    const weights = params.map((p, i) => {
      const state = states[i] ?? {};
      return (state.slow_weights ??= keep(noGrad(() => zeroState(p).copy_(p))));
    });
    const due = states.map(({ count = 0 }) => (count + 1) % this.k === 0);
    const average = { weights, share: this.alpha, restore: true };
    // Those of a group that was added later have counted less.
    const isDue = (_: Tensor, i: number): boolean => due[i] === true;
    const apart = (): void => {
      noGrad(() => {
        averageWeights(params.filter(isDue), { ...average, weights: weights.filter(isDue) });
      });
    };
    this.#average = due.every(Boolean) ? average : due.some(Boolean) ? apart : undefined;
    super.step(options);
    for (const state of states) state.count = (state.count ?? 0) + 1;
  }

  /** @internal */
  protected override ownAverage(): WeightAverage | (() => void) | undefined {
    return this.#average;
  }

  override explain(): string {
    return `${super.explain()}; every ${this.k} steps, Lookahead`;
  }

  /** Copies states and hyper-parameters in the layout of the `state_dict` of fastai's `Lookahead`. */
  override toFastai(): FastaiLookaheadDict {
    const { state, hypers } = this.stateDict();
    const slow = state.flatMap(({ slow_weights }) => slow_weights ?? []);
    const ends = this.paramLists.map((_, i) => this.paramLists.slice(0, i + 1).flat().length);
    return {
      state: state.map(({ slow_weights: _, count: __, ...rest }) => rest),
      hypers,
      count: state[0]?.count ?? 0,
      slow_weights:
        slow.length > 0 ? ends.map((end, i) => slow.slice(ends[i - 1] ?? 0, end)) : null,
    };
  }

  /** Takes over a copy of the `state_dict` of fastai's `Lookahead`, or of the optimizer in it. */
  override fromFastai(dict: FastaiStateDict & Partial<FastaiLookaheadDict>): void {
    checkRecord('fromFastai', '{ state: [...], hypers: [...] }', dict);
    const { count = 0, slow_weights, ...inner } = dict;
    const slow = slow_weights?.flat();
    super.fromFastai({
      ...inner,
      state: slow
        ? inner.state.map((each, i) => ({ ...each, slow_weights: slow[i], count }))
        : inner.state,
    });
  }
}

function hypersByName({ hypers }: Optimizer): Record<string, number[]> {
  const names = Object.keys(hypers[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, hypers.map((hyper) => hyper[name] ?? NaN)]));
}
