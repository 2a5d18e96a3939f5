import { inspect } from 'node:util';
import { ArgumentError, DisposedError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { noGrad } from '../tensor/autograd';
import { keep, refusePromise, tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { toParamLists, type Params } from './params';

/** The options of `new EMA`. */
export interface EMAOptions {
  /** The share of the old average in each update, from 0 up to but without 1; 0.999 where it isn't given. */
  readonly decay?: number;
  /** Begins with a smaller share, `(1 + n) / (10 + n)` at the nth update, so that the start is soon forgotten. */
  readonly warmup?: boolean;
}

/** What `EMA.stateDict` gives. */
export interface EMAStateDict {
  /** How many updates the averages have seen. */
  readonly updates: number;
  readonly averages: readonly Tensor[];
}

/**
 * Keeps an exponential moving average of weights, `average = decay * average + (1 - decay) * p`, which often does better
 * on new data than the last weights. Update it after each step; evaluate with `use`.
 *
 * Source: Polyak and Juditsky 1992; the same as PyTorch's `AveragedModel` with `get_ema_multi_avg_fn`, which also begins
 * with a copy of the weights.
 * @example
 * ```ts
 * const ema = new EMA(model.parameters(), { decay: 0.99 });
 * opt.step();
 * ema.update();
 * const accuracy = ema.use(() => evaluate(model));
 * ```
 */
export class EMA {
  readonly decay: number;
  readonly warmup: boolean;
  /** The averages, in the order of the parameters. */
  readonly averages: readonly Tensor[];
  readonly #params: readonly Tensor[];
  #updates = 0;
  #disposed = false;

  /**
   * Begins with a copy of the weights.
   *
   * @param params a tensor, tensors, or groups of tensors; each once.
   */
  constructor(params: Params, options: EMAOptions = {}) {
    checkOptions('EMA', options, ['decay', 'warmup']);
    const { decay = 0.999, warmup = false } = options;
    if (!(decay >= 0 && decay < 1)) {
      throw new ArgumentError(
        `EMA: expected decay from 0 up to but without 1, got ${inspect(decay)}`,
      );
    }
    this.decay = decay;
    this.warmup = warmup;
    this.#params = toParamLists(params).flat();
    this.averages = keep(noGrad(() => this.#params.map((p) => p.detach().clone())));
  }

  /** How many updates the averages have seen. */
  get updates(): number {
    return this.#updates;
  }

  /** Moves the averages towards the weights as they are now. */
  update(): void {
    this.#checkLive('update');
    this.#updates += 1;
    const n = this.#updates;
    const decay = this.warmup ? Math.min(this.decay, (1 + n) / (10 + n)) : this.decay;
    noGrad(() => {
      for (const [average, p] of this.#pairs()) average.lerp_(p, 1 - decay);
    });
  }

  /**
   * Runs a synchronous function with the averages as the weights, and puts the weights back, also when it throws.
   *
   * @throws ArgumentError when `body` returns a promise.
   */
  use<T>(body: () => T): T {
    this.#checkLive('use');
    this.swap();
    try {
      return refusePromise('EMA.use', body());
    } finally {
      this.swap();
    }
  }

  /** Exchanges weights and averages; a second call changes them back. For what `use` can't do because it awaits. */
  swap(): void {
    this.#checkLive('swap');
    noGrad(() => {
      for (const [average, p] of this.#pairs()) {
        tidy(() => {
          const weights = p.clone();
          p.copy_(average);
          average.copy_(weights);
        });
      }
    });
  }

  /** Copies the averages into the weights, for good. */
  copyToParams(): void {
    this.#checkLive('copyToParams');
    noGrad(() => {
      for (const [average, p] of this.#pairs()) p.copy_(average);
    });
  }

  /** Copies the averages; the copy belongs to the innermost scope. */
  stateDict(): EMAStateDict {
    this.#checkLive('stateDict');
    return { updates: this.#updates, averages: this.averages.map((average) => average.clone()) };
  }

  /** Takes over a copy of what `stateDict` gave, all or nothing. */
  loadStateDict({ updates, averages }: EMAStateDict): void {
    this.#checkLive('loadStateDict');
    const shapes = (tensors: readonly Tensor[]): string =>
      tensors.map((tensor) => `[${tensor.shape.join(', ')}]`).join(' ');
    if (shapes(averages) !== shapes(this.averages)) {
      throw new ArgumentError(
        `EMA.loadStateDict: expected averages of shapes ${shapes(this.averages)}, got ${shapes(averages)}`,
      );
    }
    this.#updates = updates;
    noGrad(() => {
      for (const [i, average] of this.averages.entries()) {
        const source = averages[i];
        if (source) average.copy_(source);
      }
    });
  }

  /** Frees the averages; the weights stay. */
  dispose(): void {
    this.#disposed = true;
    for (const average of this.averages) average.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #pairs(): (readonly [average: Tensor, p: Tensor])[] {
    return this.averages.flatMap((average, i) => {
      const p = this.#params[i];
      return p === undefined ? [] : [[average, p] as const];
    });
  }

  #checkLive(method: string): void {
    if (this.#disposed)
      throw new DisposedError(`EMA.${method}: these averages were disposed; make new ones`);
  }
}
