import { inspect } from 'node:util';
import type { Loader } from '../data/types';
import { checkFlags, checkFunction, isNumber, isRecord } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import type { Module } from '../nn/module';
import type { HyperValue, OptFunc, Params } from '../optim';
import { checkHyperValue } from '../optim/hypers';
import { isIterable } from '../optim/iterable';
import type { Device } from '../tensor/dtype';
import type { Tensor } from '../tensor/tensor';
import type { Callback } from './callback';
import type { Metric, MetricFunction } from './metrics';

/**
 * Computes the loss of predictions, a scalar. A batch with several targets gives it them all; what else a function may take
 * after the target, such as options, it doesn't get.
 */
export type LossFunction = (pred: Tensor, target: Tensor, ...more: never[]) => Tensor;

/** The same as the learner calls it. A method, whose parameters TypeScript compares either way: `never` with a tensor. */
export type TargetsFunction<T> = { call(pred: Tensor, ...targets: Tensor[]): T }['call'];

/** Chooses a model's parameters, or groups of them. */
export type Splitter = (model: Module) => Params;

/** The momentum of one cycle: at its start, where the learning rate is highest, and at its end. */
export type Moms = readonly [start: number, middle: number, end: number];

/** One or several. */
export type OneOrMore<T> = T | Iterable<T>;

/** The options of `new Learner`. */
export interface LearnerOptions {
  readonly lossFunc: LossFunction;
  /** Where to train: the model is moved there. `'auto'` is a GPU where there is one, else the CPU. */
  readonly device?: Device | 'auto';
  /** Makes the optimizer; `Adam` where it isn't given. */
  readonly optFunc?: OptFunc;
  /** The learning rate of fits that get none; 1e-3 where it isn't given. */
  readonly lr?: HyperValue;
  /** Those that need a gradient, in one group, where it isn't given. */
  readonly splitter?: Splitter;
  readonly cbs?: OneOrMore<Callback>;
  /** What is measured on the validation set; a function is averaged over its items. */
  readonly metrics?: OneOrMore<MetricFunction | Metric>;
  /** The weight decay; the optimizer's own where it isn't given. */
  readonly wd?: HyperValue;
  /** Decays biases and the parameters of normalisation layers too. */
  readonly wdBnBias?: boolean;
  /** Trains normalisation layers of frozen groups too; true where it isn't given. */
  readonly trainBn?: boolean;
  /** `[0.95, 0.85, 0.95]` where they aren't given. */
  readonly moms?: Moms;
  /** Keeps the channels of images side by side in memory, which is faster; see `ChannelsLast`. */
  readonly channelsLast?: boolean;
  /** Prints a line for each epoch, and shows a bar on a terminal; true where it isn't given. */
  readonly progress?: boolean;
}

/** The options of every kind of fit. */
export interface FitOptions {
  /** The weight decay; the learner's where it isn't given. */
  readonly wd?: HyperValue;
  /** Callbacks for this fit only. */
  readonly cbs?: OneOrMore<Callback>;
  /** Makes a new optimizer first. */
  readonly resetOpt?: boolean;
  /** Leaves out the epochs before this one; schedules count them. */
  readonly startEpoch?: number;
  /** Stops between two batches, also while one is awaited: callbacks get `afterCancelFit` and `afterFit`, then the fit fails with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The options of `Learner.fit`. */
export interface PlainFitOptions extends FitOptions {
  /** The learning rate; the learner's where it isn't given. */
  readonly lr?: HyperValue;
}

/** The options of `Learner.validate`. */
export interface ValidateOptions {
  /** Another loader than `dls.valid`. */
  readonly dl?: Loader;
  readonly cbs?: OneOrMore<Callback>;
  readonly signal?: AbortSignal;
}

/** The names of `LearnerOptions`. */
export const learnerOptionNames = [
  ...['lossFunc', 'device', 'optFunc', 'lr', 'splitter', 'cbs', 'metrics'],
  ...['wd', 'wdBnBias', 'trainBn', 'moms', 'channelsLast', 'progress'],
];

/** The names of `FitOptions`. */
export const fitOptionNames = ['wd', 'cbs', 'resetOpt', 'startEpoch', 'signal'];

/** What people write who come from fastai or PyTorch. */
export const learnerOptionHints = {
  ...{ loss: 'lossFunc', loss_func: 'lossFunc', criterion: 'lossFunc', callbacks: 'cbs' },
  ...{
    opt: 'optFunc',
    opt_func: 'optFunc',
    optimizer: 'optFunc',
    wd_bn_bias: 'wdBnBias',
    train_bn: 'trainBn',
    channels_last: 'channelsLast',
  },
};

/** Lists one or several; what is no object is refused as one of the list. */
export function listOf<T extends object>(value: OneOrMore<T> | undefined): T[] {
  if (value === undefined) return [];
  return isIterable(value) ? [...value] : [value];
}

/** Refuses what is no signal; none is given where it is undefined. */
export function checkSignal(where: string, signal: unknown): void {
  if (signal === undefined) return;
  // By what it can do: a signal may be of another realm.
  const needed = ['throwIfAborted', 'addEventListener', 'removeEventListener'];
  if (isRecord(signal) && needed.every((name) => typeof signal[name] === 'function')) return;
  throw new ArgumentError(
    `${where}: expected an AbortSignal, got ${inspect(signal, { depth: 0 })}; it is the \`signal\` of an AbortController`,
  );
}

/** Refuses options of `new Learner` that are given and of another type. */
export function checkLearnerOptions(options: LearnerOptions): void {
  checkFlags('Learner', options, ['wdBnBias', 'trainBn', 'channelsLast', 'progress']);
  const { optFunc, splitter, moms, lr, wd } = options;
  if (optFunc !== undefined) checkFunction('Learner: optFunc', optFunc);
  if (splitter !== undefined) checkFunction('Learner: splitter', splitter);
  if (moms !== undefined) checkMoms('Learner', moms);
  if (lr !== undefined) checkHyperValue('Learner: lr', lr);
  if (wd !== undefined) checkHyperValue('Learner: wd', wd);
}

/** Refuses what are no three momenta. */
export function checkMoms(where: string, moms: unknown): void {
  if (Array.isArray(moms) && moms.length === 3 && moms.every(isNumber)) return;
  throw new ArgumentError(
    `${where}: expected three numbers as moms, such as [0.95, 0.85, 0.95], got ${inspect(moms, { depth: 0 })}`,
  );
}
