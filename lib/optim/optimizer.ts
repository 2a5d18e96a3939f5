import { inspect } from 'node:util';
import { checkName, checkRecord } from '../internal/check';
import { ArgumentError, DisposedError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { noGrad } from '../tensor/autograd';
import type { Tensor } from '../tensor/tensor';
import { checkCallback } from './callback';
import type { CapturedStep, CaptureOptions } from './captured-step';
import { noExtras, zeroGrads, type Follower, type StepExtras, type WeightAverage } from './extras';
import { gradNorm } from './grad-norm';
import {
  newGroup,
  newHyper,
  pickGroups,
  type AllParamsOptions,
  type GroupRange,
  type ParamEntry,
} from './groups';
import { isIterable } from './iterable';
import { checkHyperName, checkHypersGiven, defaultsOf, mayRead, spreadHyper } from './hypers';
import type { FusedRun } from './fused';
import { numberStates } from './fused-pipeline';
import {
  checkFused,
  checkStateDtype,
  type Fused,
  type OptimizerOptions,
  type StateDtype,
  type StepOptions,
} from './options';
import { LateNumber } from './norms';
import { toParamLists, type Params } from './params';
import { clearState, StateMap } from './state';
import {
  checkStateDict,
  copyStateDict,
  loadParamState,
  type OptimizerStateDict,
} from './state-dict';
import { fromFastai, toFastai, type FastaiStateDict } from './state-dict-fastai';
import { extrasFor } from './step-extras';
import { Stepper } from './stepper';
import { summarize } from './summary';
import { checkTraced, StepTrace } from './trace';
import type {
  AnyCallback,
  Callbacks,
  HypersOf,
  HyperValuesOf,
  OptimizerRest,
  WithState,
} from './typed';
import type { Hyper, HyperValue, HyperValues } from './types';

/**
 * An optimizer made of callbacks, as in fastai: `step()` calls each of them on each parameter that has a gradient. Stats
 * keep averages in the parameter's state, steps change the parameter.
 *
 * Source: fastai's `Optimizer`; the differences are in `docs/differences-from-fastai.md`.
 *
 * @example
 * ```ts
 * const opt = new Optimizer(model.parameters(), [averageGrad(), momentumStep], { lr: 0.1, mom: 0.9 });
 * loss.backward();
 * opt.step();
 * opt.zeroGrad();
 * ```
 */
export class Optimizer<const Cbs extends Callbacks = Callbacks> {
  /** The parameters, group by group. */
  readonly paramLists: readonly (readonly Tensor[])[];
  /** The hyper-parameters of each group, shared by all its parameters; set them with `setHypers`. */
  readonly hypers: readonly Hyper[];
  /** What the optimizer knows about each parameter; reading an absent one makes it. Tensors put in by hand: `keep` them. */
  readonly state = new StateMap();
  /** What a step does, in order. May be changed; the next step follows. */
  readonly cbs: AnyCallback[];
  /** Which way a step goes; see `explain`. */
  readonly fused: Fused;
  /** How averages are stored. */
  readonly stateDtype: StateDtype;

  readonly #stepper: Stepper;
  #adopted: readonly AnyCallback[] = [];
  readonly #lists: (readonly Tensor[])[];
  readonly #hypers: Hyper[];
  #frozenIdx = 0;
  readonly #gradNorm = new LateNumber();
  #followers: readonly Follower[] = [];
  #disposed = false;

  /**
   * @param params a tensor, tensors (one group), or groups of tensors; each parameter once.
   * @param cbs the callbacks, in the order in which they run on each parameter.
   * @param hypers values of hyper-parameters, before the callbacks' defaults: a number, one for each group, or a slice.
   * @throws ArgumentError when there are no parameters, or a hyper-parameter has no value.
   * @throws UnknownOptionError for a hyper-parameter that no callback reads.
   */
  constructor(params: Params, cbs: Cbs & WithState<Cbs>, ...rest: OptimizerRest<Cbs>);
  constructor(
    params: Params,
    cbs: Callbacks,
    hypers: HyperValues = {},
    options: OptimizerOptions = {},
  ) {
    checkOptions('Optimizer', options, ['fused', 'stateDtype']);
    this.paramLists = this.#lists = toParamLists(params);
    this.fused = checkFused(options.fused ?? 'auto');
    this.stateDtype = checkStateDtype(options.stateDtype ?? 'float32', this.paramLists.flat());
    this.#stepper = new Stepper(this);
    this.cbs = typeof cbs === 'function' || !isIterable(cbs) ? [cbs] : [...cbs];
    this.cbs.forEach(checkCallback);
    const defaults = defaultsOf(this.cbs);
    this.hypers = this.#hypers = this.paramLists.map(() => ({ ...defaults }));
    this.setHypers(hypers);
    this.#adopt();
  }

  /** Groups before this one are frozen. */
  get frozenIdx(): number {
    return this.#frozenIdx;
  }

  /** The groups in PyTorch's form: new objects with `params` and the group's hyper-parameters. */
  get paramGroups(): ({ params: readonly Tensor[] } & Record<string, unknown>)[] {
    return this.paramLists.map((params, i) => ({ params, ...this.hypers[i] }));
  }

  /**
   * Lists parameters in order, each with its group, state and hyper-parameters.
   *
   * @param groups one group by its number, from the end where negative, or a range of groups; all where it isn't given.
   */
  allParams(groups: number | GroupRange = {}, options: AllParamsOptions = {}): ParamEntry[] {
    checkOptions('allParams', options, ['withGrad']);
    const entries = this.paramLists.map((pg, i) =>
      pg.map((p): ParamEntry => [p, pg, this.state.get(p), this.hypers[i] ?? {}]),
    );
    const chosen = pickGroups(entries, groups).flat();
    return options.withGrad ? chosen.filter(([p]) => p.hasGrad) : chosen;
  }

  /**
   * Sets hyper-parameters, all or none: `setHypers({ lr: slice(1e-5, 1e-3), mom: [0.9, 0.95] })`.
   *
   * @throws ArgumentError when the number of values is not that of the groups; UnknownOptionError when no callback reads one.
   */
  setHypers(values: HyperValuesOf<HypersOf<Cbs>>): void;
  setHypers(values: HyperValues): void {
    this.#setHypers(values);
  }

  /** Sets one hyper-parameter; see `setHypers`. */
  setHyper(name: HypersOf<Cbs>, value: HyperValue): void;
  setHyper(name: string, value: HyperValue): void {
    checkName('setHyper', name);
    this.#setHypers({ [name]: value });
  }

  #setHypers(values: HyperValues): void {
    this.checkLive('setHypers');
    checkRecord('setHypers', 'hyper-parameters by name', values);
    const spread = Object.entries(values).map(([name, value]): [string, number[]] => {
      checkHyperName(`setHyper('${name}')`, name, this.cbs);
      return [name, spreadHyper(name, value, this.hypers.length)];
    });
    for (const [name, list] of spread) {
      this.hypers.forEach((hyper, i) => {
        hyper[name] = list[i] ?? NaN;
      });
    }
  }

  /** Tells whether a callback may read a hyper-parameter, so that `setHyper` takes it. */
  hasHyper(name: string): boolean {
    return mayRead(this.cbs, name);
  }

  /**
   * Adds a group behind the others, not frozen.
   *
   * @param params a tensor, or tensors; none that the optimizer has already.
   * @param hypers its hyper-parameters; those that aren't given are the last group's.
   * @throws ArgumentError when a parameter is there already; UnknownOptionError when no callback reads a hyper-parameter.
   */
  addParamGroup(
    params: Tensor | Iterable<Tensor>,
    hypers: Readonly<Record<string, number>> = {},
  ): void {
    this.checkLive('addParamGroup');
    checkRecord('addParamGroup', 'hyper-parameters by name', hypers);
    const group = newGroup(params, this.paramLists);
    checkStateDtype(this.stateDtype, group);
    this.#hypers.push(newHyper(hypers, this.hypers.at(-1), this.cbs));
    this.#lists.push(group);
  }

  /**
   * Freezes the groups before `n` and unfreezes the others: sets `requiresGrad` and leaves frozen parameters out of every
   * step, but those whose state has `force_train`. States and gradients stay as they are.
   *
   * @param n from 0 (none frozen) to the number of groups (all frozen), or from the end: -1 leaves the last one.
   */
  freezeTo(n: number): void {
    this.checkLive('freezeTo');
    const count = this.paramLists.length;
    if (!Number.isInteger(n) || n < -count || n > count) {
      throw new ArgumentError(
        `freezeTo: expected an integer from ${-count} to ${count}, as there are ${count} groups, got ${inspect(n)}`,
      );
    }
    this.#frozenIdx = n < 0 ? count + n : n;
    this.paramLists.forEach((group, i) => {
      for (const p of group)
        p.requiresGrad = i >= this.#frozenIdx || Boolean(this.state.get(p).force_train);
    });
  }

  /** Freezes all groups but the last. */
  freeze(): void {
    const count = this.paramLists.length;
    if (count < 2) {
      throw new ArgumentError(
        'freeze: expected at least 2 parameter groups, got 1; pass groups, such as [body, head], or freezeTo(1) to freeze all',
      );
    }
    this.freezeTo(-1);
  }

  /** Unfreezes all groups. */
  unfreeze(): void {
    this.freezeTo(0);
  }

  /**
   * Runs every callback on every parameter that has a gradient and isn't frozen, without recording for `backward`.
   *
   * @param options what is done to all gradients besides: first scaled, then clipped, zeroed after the step.
   * @throws UnknownOptionError for another option.
   * @example
   * ```ts
   * opt.step({ clipNorm: 1, zeroGrad: true });
   * opt.lastGradNorm; // before it was clipped
   * ```
   */
  step(options?: StepOptions): void {
    this.checkLive('step');
    this.#adopt();
    const extras = options ? this.extrasOf(options) : noExtras;
    const own = this.ownAverage();
    const follower = own ? undefined : this.#followers[0];
    const average = typeof own === 'object' ? own : follower?.next();
    this.#stepper.step(this.#run(), average ? { ...extras, average } : extras);
    if (typeof own === 'function') own();
    follower?.arrive();
    this.followWeights(follower);
  }

  /**
   * @internal Takes a step but where the number `skip` isn't 0, which only the device of the gradients may know: where that can't
   * decide by itself, the program waits for it.
   */
  stepUnless(skip: Tensor): void {
    this.checkLive('step');
    const done = this.#stepper.stepUnless(skip, this.#run(), this.whyNotAlone);
    if (!done && skip.item() === 0) this.step();
  }

  /** @internal What a step averages in its own pass, or does after it, before those that follow; `Lookahead` has something. */
  protected ownAverage(): WeightAverage | (() => void) | undefined {
    return undefined;
  }

  /** @internal Lets averaged weights follow the parameters at each step, until what it returns is called. */
  follow(follower: Follower): () => void {
    this.checkLive('follow');
    this.#followers = [...this.#followers, follower];
    return () => {
      this.#followers = this.#followers.filter((each) => each !== follower);
      this.#stepper.release(); // its plan holds the averages
    };
  }

  /** @internal Why a step is more than its callbacks, if it is. */
  get whyNotAlone(): string | undefined {
    if (this.constructor !== Optimizer)
      return `${this.constructor.name} decides on its steps itself`;
    return this.#followers.length > 0 ? 'an EMA follows the optimizer' : undefined;
  }

  /** @internal Updates those that the step itself didn't. */
  protected followWeights(updated?: Follower): void {
    for (const follower of this.#followers) if (follower !== updated) follower.update();
  }

  /**
   * The norm that all gradients taken together had in the last step with `clipNorm`, scaled but not yet clipped. Waits for the
   * device.
   */
  get lastGradNorm(): number | undefined {
    return this.#gradNorm.value;
  }

  /** @internal Checks the options of a step, and measures the gradients where they ask for it. */
  protected extrasOf(options: StepOptions): StepExtras {
    const measure = (): number => this.#stepper.gradNorm(this.#run()) ?? gradNorm(this);
    return extrasFor(options, this.paramLists.flat(), this.#gradNorm, measure);
  }

  #run(): FusedRun {
    this.#adopt();
    const { paramLists, hypers, state: states } = this;
    return { paramLists, hypers, states, frozenIdx: this.#frozenIdx };
  }

  /** @internal Prepares the step for CUDA graphs, or tells why it can't be in one; undefined: ask again after a step. */
  captureStep(options: CaptureOptions = {}): CapturedStep | string | undefined {
    this.checkLive('captureStep');
    const whyNot = (): string | undefined => this.whyNotAlone;
    return whyNot() ?? this.#stepper.capture(() => this.#run(), options, whyNot);
  }

  /**
   * Runs one step, and tells what each callback read, changed and returned for one parameter. Copies all its values.
   *
   * @param p a parameter of this optimizer.
   * @returns what prints as a table.
   */
  traceStep(p: Tensor): StepTrace {
    this.checkLive('traceStep');
    checkTraced(p, this.paramLists.flat());
    this.#adopt();
    const trace = new StepTrace(p);
    this.#stepper.watched(
      (bodies) => bodies.map((body, i) => trace.watch(this.cbs[i]?.name || 'a function', body)),
      () => {
        this.step();
      },
    );
    return trace;
  }

  /** Fills every gradient with zeros, in place, and detaches it from any graph. */
  zeroGrad(): void {
    this.checkLive('zeroGrad');
    noGrad(() => {
      zeroGrads(this.paramLists.flat());
    });
  }

  /** Forgets all states but the flags `do_wd` and `force_train`, and disposes of their tensors. */
  clearState(): void {
    this.checkLive('clearState');
    for (const p of this.paramLists.flat()) clearState(p, this.state.get(p));
    this.#stepper.release();
  }

  /** Copies states and hyper-parameters. The tensors of the copy belong to the innermost scope. */
  stateDict(): OptimizerStateDict {
    this.checkLive('stateDict');
    return copyStateDict(this.paramLists.flat(), this.state, this.hypers);
  }

  /**
   * Takes over a copy of the states and hyper-parameters of `stateDict`, also onto another device. Averages are stored as
   * this optimizer stores them, whatever `stateDtype` the other had.
   *
   * @throws ArgumentError when it has another number of groups or parameters, or parameters of other shapes; then nothing
   *   has changed.
   */
  loadStateDict(dict: OptimizerStateDict): void {
    this.checkLive('loadStateDict');
    const params = this.paramLists.flat();
    checkStateDict('loadStateDict', dict, this.paramLists.length, params);
    for (const name of dict.hypers.flatMap(Object.keys))
      checkHyperName('loadStateDict', name, this.cbs);
    this.hypers.forEach((hyper, i) => Object.assign(hyper, dict.hypers[i]));
    const storage = { dtype: this.stateDtype, numbers: numberStates(this.cbs) };
    params.forEach((p, i) => {
      loadParamState(p, this.state.get(p), dict.state[i] ?? {}, storage);
    });
    this.#stepper.release();
  }

  /**
   * Copies states and hyper-parameters in the layout of a fastai optimizer's `state_dict`: the same positions and names.
   * The tensors of the copy belong to the innermost scope.
   */
  toFastai(): FastaiStateDict {
    return toFastai(this.stateDict());
  }

  /**
   * Takes over a copy of a fastai optimizer's `state_dict`. Hyper-parameters that no callback reads are left out: fastai
   * keeps some, such as the `mom` of an SGD without momentum.
   *
   * @throws ArgumentError when it has another number of groups or parameters, or averages of other shapes; then nothing
   *   has changed.
   */
  fromFastai(dict: FastaiStateDict): void {
    this.loadStateDict(fromFastai(dict, (name) => this.hasHyper(name)));
  }

  /**
   * Lists the groups in a table: how many tensors and numbers, trained or frozen, how many without weight decay, and every
   * hyper-parameter.
   */
  summary(): string {
    return summarize(this);
  }

  /** Tells in words which way the last step went, and why. */
  explain(): string {
    this.#adopt();
    return this.#stepper.explain(this.cbs, this.paramLists.flat().length);
  }

  /** @internal */
  protected explainScaled(): string {
    return this.#stepper.explainScaled();
  }

  /** Disposes of all states; the parameters stay. The optimizer refuses to work from then on. */
  dispose(): void {
    this.#disposed = true;
    this.state.clear();
    this.#stepper.release();
    this.#gradNorm.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal */
  protected checkLive(method: string): void {
    if (this.#disposed)
      throw new DisposedError(`Optimizer.${method}: this optimizer was disposed; make a new one`);
  }

  // Takes in the callbacks as they are now: users may have added some since the last step.
  #adopt(): void {
    const { cbs } = this;
    if (cbs.length === this.#adopted.length && cbs.every((cb, i) => cb === this.#adopted[i]))
      return;
    cbs.forEach(checkCallback);
    const defaults = defaultsOf(cbs);
    for (const hyper of this.hypers) {
      checkHypersGiven('Optimizer', cbs, { ...defaults, ...hyper });
      Object.assign(hyper, { ...defaults, ...hyper });
    }
    this.#stepper.setCallbacks(cbs);
    this.#adopted = [...cbs];
  }
}
