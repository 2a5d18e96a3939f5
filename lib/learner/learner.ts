import { isAvailable } from '../cuda';
import { checkLoader, type DataLoaders } from '../data/types';
import { checkFlag, checkFlags } from '../internal/check';
import { BusyError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import type { Module } from '../nn/module';
import {
  Adam,
  type GradScalerOptions,
  type HyperValue,
  type OptFunc,
  type Optimizer,
} from '../optim';
import type { Device } from '../tensor/dtype';
import type { Tensor } from '../tensor/tensor';
import { refusePromise } from '../tensor/scope';
import { checkLoaders } from './batch';
import type { Callback } from './callback';
import { addCallbacks, removeCallbacks, type WhichCallbacks } from './callback-list';
import { StepGraph } from './capture';
import { ChannelsLast, layOut } from './channels-last';
import { checkEpochs, checkLoss } from './checks';
import { createOpt } from './create-opt';
import * as cycles from './cycles';
import { Loop } from './loop';
import { lrFind, type LRFindOptions, type LRFindResult } from './lr-find';
import { toMetric, type Metric } from './metrics';
import { MixedPrecision } from './mixed-precision';
import {
  checkLearnerOptions,
  checkSignal,
  fitOptionNames,
  learnerOptionHints,
  learnerOptionNames,
  listOf,
  type LearnerOptions,
  type Moms,
  type OneOrMore,
  type PlainFitOptions,
  type Splitter,
  type TargetsFunction,
  type ValidateOptions,
} from './options';
import { checkModule, trainableParams } from './params';
import { getPreds, type Predictions } from './predict';
import { ProgressCallback, Quiet } from './progress';
import { Recorder } from './recorder';
import { TrainEvalCallback } from './train-eval';
import { TrainingState } from './training-state';

/**
 * Trains a model: puts data, model, loss and optimizer together, and fires events that callbacks extend it by.
 *
 * Source: fastai's `Learner`; the differences are in `docs/differences-from-fastai.md`.
 *
 * @example
 * ```ts
 * const learn = new Learner({ train, valid }, models.xresnet34({ nOut: 10 }), {
 *   lossFunc: nn.crossEntropy,
 *   metrics: accuracy,
 * });
 * await learn.fitOneCycle(1, { lrMax: 3e-3 });
 * ```
 */
export class Learner extends TrainingState {
  readonly dls: DataLoaders;
  readonly model: Module;
  readonly lossFunc: TargetsFunction<Tensor>;
  readonly optFunc: OptFunc;
  readonly splitter: Splitter;
  readonly metrics: readonly Metric[];
  /** The callbacks in the order in which they were added; `addCb` and `removeCb` change them. */
  readonly cbs: Callback[] = [];
  /** What was recorded in the last fit. */
  readonly recorder = new Recorder();
  lr: HyperValue;
  wd: HyperValue | undefined;
  wdBnBias: boolean;
  trainBn: boolean;
  moms: Moms;
  /** The optimizer; undefined until `createOpt`, or whatever needs one first. */
  opt: Optimizer | undefined;
  #busy = false;

  /**
   * @param dls what to train on and, if anything, to validate on: iterables or async iterables of batches `[x, y]`.
   * @throws UnknownOptionError for an option that it doesn't take; ArgumentError where a part is missing;
   *   CudaUnavailableError for a GPU that isn't here.
   */
  constructor(dls: DataLoaders, model: Module, options: LearnerOptions) {
    super();
    checkOptions('Learner', options, learnerOptionNames, learnerOptionHints);
    checkLearnerOptions(options);
    this.dls = checkLoaders(dls);
    this.model = checkModule('Learner', model);
    this.lossFunc = checkLoss(options.lossFunc);
    const { device } = options;
    if (device !== undefined) this.model.to(device === 'auto' ? bestDevice() : device);
    this.optFunc = options.optFunc ?? Adam;
    this.splitter = options.splitter ?? trainableParams;
    this.metrics = listOf(options.metrics).map(toMetric);
    this.lr = options.lr ?? 1e-3;
    this.wd = options.wd;
    this.wdBnBias = options.wdBnBias ?? false;
    this.trainBn = options.trainBn ?? true;
    this.moms = options.moms ?? [0.95, 0.85, 0.95];
    this.addCb([new TrainEvalCallback(), this.recorder]);
    if (options.channelsLast) this.addCb(new ChannelsLast());
    if (options.progress ?? true) this.addCb(new ProgressCallback());
    this.addCb(listOf(options.cbs));
    for (const cb of this.orderedCbs) refusePromise('afterCreate', cb.afterCreate?.(this));
  }

  /** The device of the model's parameters: batches are moved there. */
  get device(): Device | undefined {
    return this.model.parameters()[0]?.device;
  }

  /** The training loss, averaged with more weight on recent batches. Waits for the device. */
  get smoothLoss(): number {
    return this.recorder.smoothLoss;
  }

  // ---- callbacks ----

  /** The callbacks in the order in which they run. */
  get orderedCbs(): Callback[] {
    return this.cbs.toSorted((a, b) => a.order - b.order);
  }

  /**
   * Adds callbacks for all fits to come: all of them, or none where one is refused.
   *
   * @throws ArgumentError for what is no callback, and for one that is there already.
   */
  addCb(cbs: OneOrMore<Callback>): this {
    addCallbacks(this.cbs, listOf(cbs));
    return this;
  }

  /** Takes callbacks away: these, or all of a class. */
  removeCb(which: WhichCallbacks): this {
    removeCallbacks(this.cbs, which);
    return this;
  }

  /** @internal */
  checkIdle(where: string): void {
    if (this.#busy)
      throw new BusyError(`${where}: expected one fit at a time, got a second; await the first`);
  }

  async #withCbs(
    where: string,
    added: readonly Callback[],
    work: () => Promise<void>,
  ): Promise<void> {
    this.checkIdle(where);
    this.addCb(added);
    this.#busy = true;
    try {
      await work();
    } finally {
      this.removeCb(added);
      this.#busy = false;
    }
  }

  // ---- precision and layout ----

  /** Trains in float16 from now on where that is safe, with a scaled loss; see `MixedPrecision`. */
  toFp16(options: GradScalerOptions = {}): this {
    return this.toFp32().addCb(new MixedPrecision('fp16', options));
  }

  /** Trains in bfloat16 from now on where that is safe; see `MixedPrecision`. */
  toBf16(): this {
    return this.toFp32().addCb(new MixedPrecision('bf16'));
  }

  /** Trains in float32 again. */
  toFp32(): this {
    for (const cb of this.cbs) if (cb instanceof MixedPrecision) cb.afterFit(this);
    return this.removeCb(MixedPrecision);
  }

  /** Keeps the channels of images side by side in memory from now on; see `ChannelsLast`. */
  toChannelsLast(): this {
    return this.removeCb(ChannelsLast).addCb(new ChannelsLast());
  }

  /** Lays out model and images as usual again. */
  toContiguous(): this {
    layOut(this, 'contiguous');
    return this.removeCb(ChannelsLast);
  }

  /**
   * From now on, records a training batch as a CUDA graph, after three batches of its sizes, and replays it for those that
   * follow: one call instead of thousands. It holds forward pass, loss and backward pass, and where callbacks and optimizer
   * allow it, clipping and the step as well. What is decided in TypeScript, such as a branch of `forward`, is decided when it
   * is recorded. Other batches, and what can't be recorded, go their usual way; `explain` tells why.
   *
   * @param on false ends it.
   */
  capture(on = true): this {
    checkFlag('capture', on);
    this.stepGraph?.end();
    this.stepGraph = on ? new StepGraph() : undefined;
    return this;
  }

  /** Tells in words how the training batches of the last fit were computed, and why. */
  explain(): string {
    return (
      this.stepGraph?.explain() ?? 'capture() was not called: each batch is computed step by step'
    );
  }

  // ---- the optimizer ----

  /**
   * Makes the optimizer anew and sets its flags: `do_wd` is false for biases and normalisation layers unless `wdBnBias`,
   * `force_train` is true for normalisation layers if `trainBn`.
   */
  createOpt(): Optimizer {
    this.opt?.dispose();
    this.opt = createOpt(this);
    return this.opt;
  }

  /** Freezes the parameter groups before `n`, from the end where negative, and forgets the optimizer's averages. */
  freezeTo(n: number): void {
    const opt = this.opt ?? this.createOpt();
    opt.freezeTo(n);
    opt.clearState();
  }

  /** Freezes all parameter groups but the last; there must be two at least. */
  freeze(): void {
    const opt = this.opt ?? this.createOpt();
    opt.freeze();
    opt.clearState();
  }

  /** Unfreezes all parameter groups. */
  unfreeze(): void {
    this.freezeTo(0);
  }

  // ---- training ----

  /**
   * Trains for `nEpoch` epochs at one learning rate. Between batches other work of the process gets its turn.
   *
   * @throws UnknownOptionError for an option that it doesn't take; BusyError during another fit; the signal's reason when it
   *   was aborted.
   */
  async fit(nEpoch: number, options: PlainFitOptions = {}): Promise<void> {
    checkOptions('fit', options, ['lr', ...fitOptionNames], { lrMax: 'lr', lr_max: 'lr' });
    const { lr = this.lr, wd = this.wd, startEpoch = 0, signal } = options;
    checkEpochs('fit', nEpoch);
    checkEpochs('fit: startEpoch', startEpoch);
    checkFlags('fit', options, ['resetOpt']);
    checkSignal('fit', signal);
    await this.#withCbs('fit', listOf(options.cbs), async () => {
      const opt = options.resetOpt || !this.opt ? this.createOpt() : this.opt;
      if (wd !== undefined && (options.wd !== undefined || opt.hasHyper('wd')))
        opt.setHyper('wd', wd);
      opt.setHyper('lr', lr);
      this.nEpoch = nEpoch;
      await new Loop(this, signal).fit(startEpoch, nEpoch);
    });
  }

  /**
   * Trains by one cycle: the learning rate rises from `lrMax / div` to `lrMax` and falls to `lrMax / divFinal`, the momentum
   * goes the other way, both along cosines.
   *
   * Source: Smith and Topin 2018; fastai's `fit_one_cycle`.
   * @throws UnknownOptionError for an option that it doesn't take, such as `lr` for `lrMax`.
   */
  async fitOneCycle(nEpoch: number, options: cycles.FitOneCycleOptions = {}): Promise<void> {
    await cycles.fitOneCycle(this, nEpoch, options);
  }

  /** Trains at one learning rate, and along a cosine down to `lr / divFinal` after `pctStart`. Source: fastai's `fit_flat_cos`. */
  async fitFlatCos(nEpoch: number, options: cycles.FitFlatCosOptions = {}): Promise<void> {
    await cycles.fitFlatCos(this, nEpoch, options);
  }

  /**
   * Trains by `nCycles` cosines from `lrMax` to 0, the first over `cycleLen` epochs, each `cycleMult` times as long as the last.
   *
   * Source: Loshchilov and Hutter 2017; fastai's `fit_sgdr`.
   */
  async fitSgdr(
    nCycles: number,
    cycleLen: number,
    options: cycles.FitSgdrOptions = {},
  ): Promise<void> {
    await cycles.fitSgdr(this, nCycles, cycleLen, options);
  }

  /** Trains the last parameter group alone for `freezeEpochs`, then all of them for `nEpoch`. Source: fastai's `fine_tune`. */
  async fineTune(nEpoch: number, options: cycles.FineTuneOptions = {}): Promise<void> {
    await cycles.fineTune(this, nEpoch, options);
  }

  /**
   * Tries growing learning rates, a batch each, and suggests one. Weights, buffers, gradients, the optimizer and the
   * random generators are afterwards what they were before.
   *
   * Source: Smith 2017; fastai's `lr_find`.
   */
  async lrFind(options: LRFindOptions = {}): Promise<LRFindResult> {
    return lrFind(this, options);
  }

  /** Measures loss and metrics on `dls.valid`, or another loader. */
  async validate(options: ValidateOptions = {}): Promise<readonly (number | undefined)[]> {
    checkOptions('validate', options, ['dl', 'cbs', 'signal']);
    const dl = checkLoader('validate', options.dl ?? this.dls.valid);
    checkSignal('validate', options.signal);
    await this.#withCbs('validate', [new Quiet(), ...listOf(options.cbs)], async () => {
      await new Loop(this, options.signal).validate(dl);
    });
    return this.finalRecord;
  }

  /** Gathers what the model makes of `dls.valid`, or of another loader; inputs in, scores out. */
  async getPreds(options: ValidateOptions = {}): Promise<Predictions> {
    return getPreds(this, options);
  }

  /** Frees the optimizer with its state. The model stays. */
  dispose(): void {
    this.opt?.dispose();
    this.opt = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function bestDevice(): Device {
  return isAvailable() ? 'cuda' : 'cpu';
}
