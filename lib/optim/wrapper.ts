import { inspect } from 'node:util';
import { native } from '../internal/binding';
import { ArgumentError } from '../internal/errors';
import type { OptimizerHandle } from '../internal/native';
import { checkOptions } from '../internal/options';
import { noGrad } from '../tensor/autograd';
import { refusePromise, tidy } from '../tensor/scope';
import { checkTensor, Tensor } from '../tensor/tensor';
import { stepCallback } from './callback';
import { scaleGrads, zeroGrads, type StepExtras } from './extras';
import { Optimizer } from './optimizer';
import type { StepOptions } from './options';
import { checkStateDict, type OptimizerStateDict } from './state-dict';
import type { FastaiStateDict } from './state-dict-fastai';
import type { StepTrace } from './trace';
import type { Hyper } from './types';
import {
  isHyper,
  type Settings,
  type TorchKind,
  type TorchOptions,
  type TorchParams,
} from './wrapper-options';
import { flagsOf, readState, writeState } from './wrapper-state';
import { torchOptim, TorchOptimizer, type TorchFactory } from './wrapper-torch';

/** PyTorch's names of hyper-parameters, and what fastai calls them; the others keep their names. */
export const torchHpMap: Readonly<Record<string, string>> = Object.freeze({
  momentum: 'mom',
  weight_decay: 'wd',
  alpha: 'sqr_mom',
  betas__0: 'mom',
  betas__1: 'sqr_mom',
});

/** The options of `new OptimWrapper`. */
export interface OptimWrapperOptions {
  /** Other names than those of `torchHpMap`; a name that the optimizer doesn't have is of no consequence. */
  readonly hpMap?: Readonly<Record<string, string>>;
}

type Making<Kind extends TorchKind> = [
  params: TorchParams,
  factory: TorchFactory<Kind>,
  options?: TorchOptions[Kind] & OptimWrapperOptions,
];

/** A built optimizer; or parameters and a factory of `torchOptim`, with the factory's options. */
export type OptimWrapperArguments =
  | [built: TorchOptimizer, options?: OptimWrapperOptions]
  | { [Kind in TorchKind]: Making<Kind> }[TorchKind];

/**
 * Gives one of libtorch's own optimizers the groups, hyper-parameters (by fastai's names), freezing and flags of all other
 * optimizers here. `opt.hypers` are what the next step uses, however they are changed. A parameter whose state has `do_wd`
 * false isn't decayed, one of a frozen group isn't stepped unless its state has `force_train`.
 *
 * Source: fastai's `OptimWrapper`; the differences are in `docs/differences-from-fastai.md`.
 * @example
 * ```ts
 * const opt = new OptimWrapper(model.parameters(), torchOptim.AdamW, { lr: 1e-3, betas: [0.9, 0.99] });
 * const learn = new Learner(dls, model, {
 *   lossFunc,
 *   optFunc: (params, { lr }) => new OptimWrapper(params, torchOptim.SGD, { lr, momentum: 0.9 }),
 * });
 * ```
 */
export class OptimWrapper extends Optimizer {
  readonly kind: TorchOptimizer['kind'];
  readonly #handle: OptimizerHandle;
  readonly #names: readonly string[];
  readonly #hpMap: Readonly<Record<string, string>>;
  readonly #settings: Settings[];

  /**
   * @param built an optimizer of `torchOptim`, or parameters and a factory of `torchOptim` with its options.
   * @throws UnknownOptionError for an option that the optimizer doesn't take.
   * @throws TorchError for a value that libtorch refuses, such as a negative learning rate.
   */
  constructor(...args: OptimWrapperArguments) {
    const { built, hpMap } = readArguments(args);
    const nameOf = (setting: string): string => hpMap[setting] ?? setting;
    const names = Object.keys(built.settings[0] ?? {});
    const hypers = names.filter(isHyper);
    const handle = TorchOptimizer.take(built);
    super(
      built.paramLists,
      stepCallback({ name: `torchOptim.${built.kind}`, hypers: hypers.map(nameOf) }, refuseCall),
      Object.fromEntries(
        hypers.map((name) => [nameOf(name), built.settings.map((each) => each[name] ?? NaN)]),
      ),
    );
    this.kind = built.kind;
    this.#handle = handle;
    this.#names = names;
    this.#hpMap = hpMap;
    this.#settings = [...built.settings];
  }

  /**
   * Takes one step with libtorch's optimizer.
   *
   * @param closure computes the loss anew, with its gradients, and returns it; LBFGS needs one, and calls it several times.
   *   Or what to do with the gradients besides, as in `Optimizer.step`.
   * @returns the first loss of the closure; undefined without one, or when all parameters are frozen.
   */
  override step(closure?: (() => Tensor) | StepOptions): Tensor | undefined {
    if (this.kind === 'LBFGS' && typeof closure !== 'function') {
      throw new ArgumentError(
        'OptimWrapper.step: expected a closure, which LBFGS calls several times, got none; pass () => { opt.zeroGrad(); const loss = ...; loss.backward(); return loss; }',
      );
    }
    if (closure !== undefined && typeof closure !== 'function') {
      this.#stepWith(this.extrasOf(closure));
      return undefined;
    }
    const groupOf = this.#groupOf();
    const run =
      closure && (() => Tensor.handleOf(checkTensor('closure', refusePromise('step', closure()))));
    const loss = groupOf.every((group) => group < 0)
      ? null
      : native.optimizerStep(this.#handle, groupOf, this.#values(), run);
    this.followWeights();
    return loss === null ? undefined : new Tensor(loss);
  }

  #stepWith({ gradScale, zeroGrad }: StepExtras): void {
    const params = this.paramLists.flat();
    noGrad(() => {
      scaleGrads(params, gradScale);
      this.step();
      if (zeroGrad) zeroGrads(params);
    });
  }

  /** Adds a group; see `Optimizer.addParamGroup`. LBFGS refuses a second one. */
  override addParamGroup(
    params: Tensor | Iterable<Tensor>,
    hypers: Readonly<Record<string, number>> = {},
  ): void {
    if (this.kind === 'LBFGS') {
      throw new ArgumentError(
        'addParamGroup: expected one parameter group with LBFGS, got another; it sees all parameters as one vector',
      );
    }
    super.addParamGroup(params, hypers);
    const added = this.paramLists.at(-1) ?? [];
    native.optimizerAddParams(
      this.#handle,
      added.map((p) => Tensor.handleOf(p)),
    );
    this.#settings.push({ ...this.#settings.at(-1) });
  }

  override clearState(): void {
    super.clearState();
    native.optimizerClearState(this.#handle);
  }

  /** Copies flags, libtorch's state by PyTorch's names, and hyper-parameters; see `Optimizer.stateDict`. */
  override stateDict(): OptimizerStateDict {
    const dict = super.stateDict();
    return {
      ...dict,
      state: dict.state.map((flags, i) => ({ ...flags, ...readState(this.#handle, i) })),
    };
  }

  override loadStateDict(dict: OptimizerStateDict): void {
    checkStateDict('loadStateDict', dict, this.paramLists.length, this.paramLists.flat());
    tidy(() => {
      const before = this.stateDict();
      try {
        this.#load(dict);
      } catch (error) {
        this.#load(before);
        throw error;
      }
    });
  }

  /** Refused: fastai saves a wrapped optimizer as PyTorch does, by numbers of parameters. */
  override toFastai(): FastaiStateDict {
    throw new ArgumentError(
      'OptimWrapper.toFastai: expected an optimizer of callbacks, got one of libtorch; use stateDict()',
    );
  }

  /** Refused, as libtorch's optimizers have no callbacks. */
  override traceStep(_p: Tensor): StepTrace {
    throw new ArgumentError(
      'traceStep: expected an optimizer of callbacks, got one of libtorch, which has none',
    );
  }

  override explain(): string {
    const count = this.paramLists.flat().length;
    return `step() runs libtorch's own ${this.kind} for ${count} parameters${this.explainScaled()}`;
  }

  override dispose(): void {
    super.dispose();
    native.optimizerDispose(this.#handle);
  }

  // Each group is two for libtorch, the second without decay: flags may change at any time.
  #groupOf(): Int32Array {
    return Int32Array.from(
      this.paramLists.flatMap((group, i) =>
        group.map((p) => {
          const { do_wd = true, force_train = false } = this.state.get(p);
          if (i < this.frozenIdx && !force_train) return -1;
          return this.#decays && !do_wd ? 2 * i + 1 : 2 * i;
        }),
      ),
    );
  }

  get #decays(): boolean {
    return this.#names.includes('weight_decay');
  }

  #values(): Float64Array {
    return Float64Array.from(
      this.hypers.flatMap((hyper, i) =>
        [true, false].flatMap((decay) =>
          this.#names.map((name) =>
            name === 'weight_decay' && !decay ? 0 : this.#valueOf(name, hyper, i),
          ),
        ),
      ),
    );
  }

  #valueOf(name: string, hyper: Hyper, group: number): number {
    const value = isHyper(name) ? hyper[this.#hpMap[name] ?? name] : this.#settings[group]?.[name];
    return value ?? NaN;
  }

  #load(dict: OptimizerStateDict): void {
    super.loadStateDict({ ...dict, state: dict.state.map(flagsOf) });
    native.optimizerClearState(this.#handle);
    for (const [i, p] of this.paramLists.flat().entries()) {
      writeState(this.#handle, this.kind, i, p, dict.state[i] ?? {});
    }
  }
}

function refuseCall(): never {
  throw new ArgumentError(
    "OptimWrapper: expected libtorch to take the step, got a call of its callback; use the wrapper's step()",
  );
}

function isMade(args: OptimWrapperArguments): args is [TorchOptimizer, OptimWrapperOptions?] {
  return args[0] instanceof TorchOptimizer;
}

function readArguments(args: OptimWrapperArguments) {
  const expected =
    'OptimWrapper: expected an optimizer of torchOptim, or parameters and a factory such as torchOptim.SGD';
  if (isMade(args)) {
    const [built, options = {}] = args;
    if (typeof options === 'function') throw new ArgumentError(`${expected}, got both`);
    checkOptions('OptimWrapper', options, ['hpMap']);
    return { built, hpMap: options.hpMap ?? torchHpMap };
  }
  const [params, factory, { hpMap = torchHpMap, ...options } = {}] = args;
  const factories: unknown[] = Object.values(torchOptim);
  if (factories.includes(factory)) return { built: factory(params, options), hpMap };
  throw new ArgumentError(`${expected}, got ${inspect(factory, { depth: 0 })}`);
}
