import { checkFunction } from '../internal/check';
import { checkOptions } from '../internal/options';
import type { Optimizer } from '../optim';
import { eventNames, type EventName } from './events';
import type { Learner } from './learner';

/** A learner with its optimizer: what the methods of a callback get while it trains, and may name their argument. */
export type Fitting = Learner & { readonly opt: Optimizer };

/** What an event's method may return: a promise is awaited before the training goes on. */
export type EventResult = void | Promise<void>;

/** Functions for some of the events, by name. */
export type EventHandlers = Pick<Callback, EventName>;

/**
 * Extends the training loop: a method named after an event runs when the event comes. All methods get the learner, and
 * may change what it is about to use (`learn.xb`, `learn.pred`, `learn.lossGrad`), or throw one of the `Cancel...`
 * exceptions to leave a stage. Tensors made in the events of a batch are freed after it, but for those that `keep` holds.
 *
 * @example
 * ```ts
 * class GradNorm extends Callback {
 *   norms: number[] = [];
 *   override afterBackward(learn: Fitting) {
 *     this.norms.push(optim.gradNorm(learn.opt));
 *   }
 * }
 * learn.addCb(new Callback({ afterEpoch: (learn) => console.log(learn.smoothLoss) }));
 * ```
 */
export class Callback {
  /** Callbacks run in this order; those of one order, as they were added. */
  order = 0;
  /** Switches the callback off until the end of the fit. */
  run = true;
  /** Whether the events of training batches reach it. */
  runTrain = true;
  /** Whether the events of validation batches reach it. */
  runValid = true;
  /**
   * Whether `afterPred`, `afterLoss` and `beforeBackward` do the same with tensors in each batch, and nothing else: a graph
   * (`Learner.capture`) then replays what they did.
   */
  capturable = false;
  /** The same for `afterBackward`, `beforeStep` and `afterStep`; `afterCancelStep` isn't needed then. */
  capturableStep = false;

  /** @throws UnknownOptionError for a name that is no event. */
  constructor(handlers: EventHandlers = {}) {
    checkOptions('Callback', handlers, eventNames);
    const given: [string, unknown][] = Object.entries(handlers);
    for (const [name, handler] of given)
      if (handler !== undefined) checkFunction(`Callback: ${name}`, handler);
    Object.assign(this, handlers);
  }

  /** After the learner was made; can't be asynchronous. */
  afterCreate?(learn: Learner): void;
  beforeFit?(learn: Learner): EventResult;
  beforeEpoch?(learn: Learner): EventResult;
  beforeTrain?(learn: Learner): EventResult;
  /** `learn.xb` and `learn.yb` are set. */
  beforeBatch?(learn: Learner): EventResult;
  /** `learn.pred` is set. */
  afterPred?(learn: Learner): EventResult;
  /** `learn.lossGrad`, from which gradients come, and `learn.loss`, which is recorded, are set. */
  afterLoss?(learn: Learner): EventResult;
  beforeBackward?(learn: Learner): EventResult;
  afterCancelBackward?(learn: Learner): EventResult;
  /** The parameters' gradients are there. */
  afterBackward?(learn: Learner): EventResult;
  beforeStep?(learn: Learner): EventResult;
  afterCancelStep?(learn: Learner): EventResult;
  /** The gradients are not yet zeroed. */
  afterStep?(learn: Learner): EventResult;
  afterCancelBatch?(learn: Learner): EventResult;
  afterBatch?(learn: Learner): EventResult;
  afterCancelTrain?(learn: Learner): EventResult;
  afterTrain?(learn: Learner): EventResult;
  beforeValidate?(learn: Learner): EventResult;
  afterCancelValidate?(learn: Learner): EventResult;
  afterValidate?(learn: Learner): EventResult;
  afterCancelEpoch?(learn: Learner): EventResult;
  afterEpoch?(learn: Learner): EventResult;
  afterCancelFit?(learn: Learner): EventResult;
  afterFit?(learn: Learner): EventResult;

  /**
   * Gives back what `beforeFit` took, when an error ends the fit: `afterFit` doesn't come then. The fit fails with `error`,
   * also when this fails as well.
   */
  onError?(learn: Learner, error: unknown): EventResult;
}
