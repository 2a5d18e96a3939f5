import { inspect } from 'node:util';
import { checkFlag, checkFunction, isRecord } from '../internal/check';
import { ArgumentError, DisposedError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { noGrad } from '../tensor/autograd';
import { keep, refusePromise, tidy } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';
import { averageWeights, noExtras, type WeightAverage } from './extras';
import { FusedEngine } from './fused';
import { Optimizer } from './optimizer';
import { toParamLists, type Params } from './params';
import { StateMap, zeroState } from './state';

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

function isState(dict: unknown): dict is EMAStateDict {
  if (!isRecord(dict) || !Array.isArray(dict.averages)) return false;
  return (
    Number.isSafeInteger(dict.updates) && dict.averages.every((each) => each instanceof Tensor)
  );
}

/**
 * Keeps an exponential moving average of weights, `average = decay * average + (1 - decay) * p`, which often does better
 * on new data than the last weights; evaluate with `use`. Made of an optimizer, it follows each of its steps, in the same
 * pass over memory where the step is one. Made of parameters, it is updated by `update()`. The averages of half-precision
 * weights are float32.
 *
 * Source: Polyak and Juditsky 1992; the same as PyTorch's `AveragedModel` with `get_ema_multi_avg_fn`, which also begins
 * with a copy of the weights.
 * @example
 * ```ts
 * const ema = new EMA(opt, { decay: 0.99 });
 * opt.step(); // and the averages have moved
 * const accuracy = ema.use(() => evaluate(model));
 * ```
 */
export class EMA {
  readonly decay: number;
  readonly warmup: boolean;
  readonly #averages: Tensor[] = [];
  readonly #params: () => readonly Tensor[];
  readonly #leave: (() => void) | undefined;
  // One pass of no callbacks, for updates apart from a step.
  readonly #pass = new FusedEngine({
    ...{ numbers: [], programs: [], states: [], unkept: [], ownHypers: [] },
  });
  readonly #noStates = new StateMap();
  // The averages of half-precision weights while these are exchanged: the weights can't hold them.
  readonly #aside = new Map<Tensor, Tensor>();
  #updates = 0;
  #disposed = false;

  /**
   * Begins with a copy of the weights.
   *
   * @param params an optimizer, whose steps it follows until it is disposed; or a tensor, tensors, or groups of tensors, each
   *   once.
   */
  constructor(params: Optimizer | Params, options: EMAOptions = {}) {
    checkOptions('EMA', options, ['decay', 'warmup']);
    const { decay = 0.999, warmup = false } = options;
    checkFlag('EMA: warmup', warmup);
    if (typeof decay !== 'number' || !(decay >= 0 && decay < 1)) {
      throw new ArgumentError(
        `EMA: expected decay from 0 up to but without 1, got ${inspect(decay)}`,
      );
    }
    this.decay = decay;
    this.warmup = warmup;
    if (params instanceof Optimizer) {
      this.#params = () => params.paramLists.flat();
      this.#leave = params.follow(this);
    } else {
      const list = toParamLists(params).flat();
      this.#params = () => list;
    }
    this.#begin();
  }

  // An optimizer may have got another group.
  #begin(): void {
    noGrad(() => {
      for (const p of this.#params().slice(this.#averages.length))
        this.#averages.push(keep(zeroState(p).copy_(p)));
    });
  }

  /** The averages, in the order of the parameters. */
  get averages(): readonly Tensor[] {
    return this.#averages;
  }

  /** How many updates the averages have seen. */
  get updates(): number {
    return this.#updates;
  }

  /** @internal What the next update does. */
  next(): WeightAverage {
    this.#begin();
    const n = this.#updates + 1;
    const decay = this.warmup ? Math.min(this.decay, (1 + n) / (10 + n)) : this.decay;
    return { weights: this.#averages, share: 1 - decay, restore: false };
  }

  /** @internal */
  arrive(): void {
    this.#updates += 1;
  }

  /** Moves the averages towards the weights as they are now. An optimizer that it was made of does so at each step. */
  update(): void {
    this.#checkLive('update');
    const average = this.next();
    const params = this.#params();
    const run = { paramLists: [params], hypers: [{}], states: this.#noStates, frozenIdx: 1 };
    const reason = this.#pass.step(run, { ...noExtras, average });
    if (reason !== undefined) {
      noGrad(() => {
        averageWeights(params, average);
      });
    }
    this.arrive();
  }

  /**
   * Runs a synchronous function with the averages as the weights, and puts the weights back, also when it throws.
   *
   * @throws ArgumentError when `body` returns a promise.
   */
  use<T>(body: () => T): T {
    this.#checkLive('use');
    checkFunction('EMA.use', body);
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
        const exact = this.#aside.get(average);
        this.#aside.delete(average);
        if (exact === undefined && average.dtype !== p.dtype)
          this.#aside.set(average, keep(average.clone()));
        tidy(() => {
          const weights = p.clone();
          p.copy_(average);
          average.copy_(exact ?? weights);
        });
        exact?.dispose();
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
  loadStateDict(dict: EMAStateDict): void {
    this.#checkLive('loadStateDict');
    if (!isState(dict)) {
      throw new ArgumentError(
        `EMA.loadStateDict: expected { updates, averages } as stateDict() gives it, got ${inspect(dict, { depth: 1 })}`,
      );
    }
    const { updates, averages } = dict;
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
    this.#leave?.();
    this.#pass.dispose();
    for (const average of [...this.averages, ...this.#aside.values()]) average.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #pairs(): (readonly [average: Tensor, p: Tensor])[] {
    const params = this.#params();
    return this.averages.flatMap((average, i) => {
      const p = params[i];
      return p === undefined ? [] : [[average, p] as const];
    });
  }

  #checkLive(method: string): void {
    if (this.#disposed)
      throw new DisposedError(`EMA.${method}: these averages were disposed; make new ones`);
  }
}
