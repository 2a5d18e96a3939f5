import { inspect } from 'node:util';
import { checkFlags } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { CancelFitException, CancelValidException } from './cancel';
import type { Fitting } from './callback';
import type { Learner } from './learner';
import { checkSignal } from './options';
import { ParamScheduler } from './param-scheduler';
import { Quiet } from './progress';
import { SchedExp, type ScheduleValue } from './schedule';
import { Snapshot } from './snapshot';
import { minimum, slide, steep, valley } from './suggest';

/** The options of `lrFind`. */
export interface LRFindOptions {
  /** The first learning rate, or one for each group; 1e-7 where it isn't given. */
  readonly startLr?: ScheduleValue;
  /** The last one; 10 where it isn't given. */
  readonly endLr?: ScheduleValue;
  /** How many batches to try, 6 at least; 100 where it isn't given. */
  readonly numIt?: number;
  /** Stops when the loss is four times the least one; true where it isn't given. */
  readonly stopDiv?: boolean;
  readonly signal?: AbortSignal;
}

/** What `lrFind` found: suggestions, and the curve that they are read from. */
export interface LRFindResult {
  /** Two thirds down the longest valley of the loss. */
  readonly valley: number;
  /** A tenth of the learning rate with the least loss. */
  readonly minimum: number;
  /** Where the loss falls most steeply. */
  readonly steep: number;
  /** Where the slope of the loss settles, coming from the right. */
  readonly slide: number;
  /** The learning rates of the last parameter group that were tried. */
  readonly lrs: readonly number[];
  /** The smoothed losses that they gave. */
  readonly losses: readonly number[];
}

function checkLRFindOptions(where: string, options: LRFindOptions): void {
  checkOptions(where, options, ['startLr', 'endLr', 'numIt', 'stopDiv', 'signal'], {
    start_lr: 'startLr',
    end_lr: 'endLr',
    num_it: 'numIt',
  });
  checkFlags(where, options, ['stopDiv']);
  checkSignal(where, options.signal);
  const { numIt = 100 } = options;
  if (typeof numIt === 'number' && numIt > 0 && numIt < Infinity) return;
  throw new ArgumentError(`${where}: expected a number of batches as numIt, got ${inspect(numIt)}`);
}

/** Lets the learning rate grow batch by batch, by even multiples, until the loss explodes. Source: fastai's `LRFinder`. */
export class LRFinder extends ParamScheduler {
  readonly #numIt: number;
  readonly #stopDiv: boolean;
  #best = Infinity;

  constructor(options: LRFindOptions = {}) {
    checkLRFindOptions('LRFinder', options);
    const { startLr = 1e-7, endLr = 10, numIt = 100, stopDiv = true } = options;
    super({ lr: SchedExp(startLr, endLr) });
    this.#numIt = Math.max(numIt, 6);
    this.#stopDiv = stopDiv;
  }

  override beforeFit(learn: Learner): void {
    super.beforeFit(learn);
    this.#best = Infinity;
  }

  override beforeBatch(learn: Fitting): void {
    this.setHypers(learn, learn.trainIter / this.#numIt);
  }

  override afterBatch(learn: Fitting): void {
    super.afterBatch(learn);
    this.#best = Math.min(this.#best, learn.smoothLoss);
    if (this.#stopDiv && learn.smoothLoss > 4 * this.#best) throw new CancelFitException();
    if (learn.trainIter >= this.#numIt) throw new CancelFitException();
  }

  override beforeValidate(_learn: Learner): void {
    throw new CancelValidException();
  }
}

const leastPoints = 2;

/** See `Learner.lrFind`. */
export async function lrFind(learn: Learner, options: LRFindOptions): Promise<LRFindResult> {
  checkLRFindOptions('lrFind', options);
  learn.checkIdle('lrFind');
  const { numIt = 100, signal } = options;
  if (learn.dls.train.length === 0)
    throw new ArgumentError('lrFind: expected batches to train on, got an empty dls.train');
  const snapshot = new Snapshot(learn, learn.opt ?? learn.createOpt());
  try {
    const nEpoch = Math.floor(numIt / learn.dls.train.length) + 1;
    const cbs = [new Quiet(), new LRFinder(options)];
    await learn.fit(nEpoch, { cbs, ...(signal ? { signal } : {}) });
  } finally {
    snapshot.restore();
  }
  // The first ones are still warming up, the last ones exploding.
  const losses = learn.recorder.losses.slice(Math.floor(numIt / 10), -5);
  const firstNaN = losses.findIndex(Number.isNaN);
  if (firstNaN >= 0) losses.length = firstNaN;
  const lrs = learn.recorder.lrs.slice(Math.floor(numIt / 10)).slice(0, losses.length);
  if (losses.length < leastPoints) {
    throw new ArgumentError(
      `lrFind: expected more than ${losses.length} usable losses; raise numIt, start from a lower startLr, or look for NaN in the data`,
    );
  }
  const suggestions = {
    valley: valley(lrs, losses),
    minimum: minimum(lrs, losses),
    steep: steep(lrs, losses),
    slide: slide(lrs, losses),
  };
  return { ...suggestions, lrs, losses };
}
