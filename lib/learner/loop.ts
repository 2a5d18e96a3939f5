import { types } from 'node:util';
import { setImmediate } from 'node:timers/promises';
import type { Loader } from '../data/types';
import { Lookahead, Optimizer, OptimWrapper } from '../optim';
import type { CapturedStep } from '../optim/captured-step';
import { autocast } from '../tensor/autocast';
import { noGrad } from '../tensor/autograd';
import { refusePromise, Scope } from '../tensor/scope';
import { checkTensor, type Tensor } from '../tensor/tensor';
import { CancelFitException } from './cancel';
import type { Callback } from './callback';
import { batchEvents, stepEvents, type BatchWork, type Replayed } from './capture';
import { isBatchEvent, stages, type EventName, type Stage } from './events';
import { feed } from './feed';
import type { Learner } from './learner';
import { listeners } from './listeners';
import { transferTo, type Transfer } from './transfer';

// A class of the user's own may have a step that knows no options.
const optionTakers: readonly unknown[] = [Optimizer, Lookahead, OptimWrapper];

type Work = () => void | Promise<void>;

// What the user's functions return is not always what their types say.
function resultOf(what: string, result: unknown): Tensor {
  const where = `Learner: ${what}`;
  return checkTensor(where, refusePromise(where, result));
}

function reaches(cb: Callback, event: EventName, training: boolean): boolean {
  if (!cb.run) return false;
  return !isBatchEvent(event) || (training ? cb.runTrain : cb.runValid);
}

// What fails while an error is dealt with must not hide that error.
async function attempt(work: Work): Promise<void> {
  try {
    await work();
  } catch {
    // The first error says what went wrong.
  }
}

/**
 * Runs a learner's epochs and fires the events. The tensors of a batch belong to one scope, which is entered for each
 * synchronous stretch and left before every await: what other code makes meanwhile is never freed here.
 */
export class Loop {
  readonly #learn: Learner;
  readonly #signal: AbortSignal | undefined;
  readonly #transfer: Transfer;
  readonly #scope = new Scope();
  #stopped = false;

  constructor(learn: Learner, signal?: AbortSignal) {
    this.#learn = learn;
    this.#signal = signal;
    this.#transfer = transferTo(learn.device);
  }

  /** Runs the epochs from `start` up to but without `end`. */
  async fit(start: number, end: number): Promise<void> {
    this.#signal?.throwIfAborted();
    await this.#guarded(() =>
      this.#stage(stages.fit, async () => {
        this.#learn.stepGraph?.begin(this.#learn);
        for (let epoch = start; epoch < end; epoch++) {
          this.#learn.epoch = epoch;
          await this.#stage(stages.epoch, () => this.#epoch());
        }
      }),
    );
    if (this.#stopped) this.#signal?.throwIfAborted();
  }

  /** Runs one pass over `dl` without training. */
  async validate(dl: Loader): Promise<void> {
    this.#signal?.throwIfAborted();
    await this.#guarded(() =>
      this.#stage(stages.fit, () => this.#stage(stages.epoch, () => this.#validate(dl))),
    );
    if (this.#stopped) this.#signal?.throwIfAborted();
  }

  // Whatever happens, the learner can be used again.
  async #guarded(work: Work): Promise<void> {
    const learn = this.#learn;
    try {
      await work();
    } catch (error) {
      for (const cb of learn.orderedCbs) await attempt(() => cb.onError?.(learn, error));
      // Half a batch's gradients must not be added to the next one's.
      await attempt(() => learn.opt?.zeroGrad());
      // It reads the counts of steps, which a GPU that has failed doesn't give.
      await attempt(() => learn.stepGraph?.end());
      throw error;
    } finally {
      this.#scope.dispose();
      learn.setBatch([], []);
      learn.stepGraph?.end();
      for (const cb of learn.cbs) cb.run = true;
    }
  }

  // Source: fastai's `_with_events`.
  async #stage({ before, Cancel, cancelled, after }: Stage, work: Work): Promise<void> {
    try {
      await this.#fire(before);
      await work();
    } catch (error) {
      if (!(error instanceof Cancel)) throw error;
      await this.#fire(cancelled);
    }
    await this.#fire(after);
  }

  async #fire(event: EventName): Promise<void> {
    const learn = this.#learn;
    for (const cb of learn.orderedCbs) {
      if (!reaches(cb, event, learn.training)) continue;
      let result: unknown;
      const call = (): void => {
        result = cb[event]?.(learn);
      };
      if (isBatchEvent(event)) this.#run(call);
      else call();
      if (types.isPromise(result)) await result;
    }
  }

  // Runs a synchronous stretch of a batch: in its scope, and without recording when validating.
  #run(work: () => void): void {
    this.#scope.run(() => {
      if (this.#learn.training) work();
      else noGrad(work);
    });
  }

  // A region ends with each stretch: what other code computes between two of them is not cast.
  #compute(work: () => void): void {
    const { autocast: options } = this.#learn;
    this.#run(() => {
      if (options) autocast(options, work);
      else work();
    });
  }

  async #epoch(): Promise<void> {
    const { train, valid } = this.#learn.dls;
    await this.#stage(stages.train, () => this.#batches(train));
    if (valid) await this.#validate(valid);
  }

  async #validate(dl: Loader): Promise<void> {
    await this.#stage(stages.validate, () => this.#batches(dl));
  }

  async #batches(dl: Loader): Promise<void> {
    const learn = this.#learn;
    learn.dl = dl;
    learn.nIter = dl.length;
    learn.iter = -1;
    for await (const { xb, yb, scope } of feed(dl, this.#transfer, this.#signal)) {
      learn.iter += 1;
      try {
        learn.setBatch(xb, yb);
        await this.#stage(stages.batch, () => this.#batch());
      } finally {
        learn.setBatch([], []);
        this.#scope.dispose();
        scope.dispose();
      }
      // Requests, timers and signals get their turn.
      await setImmediate();
      this.#checkSignal();
    }
    this.#checkSignal();
  }

  #checkSignal(): void {
    if (!this.#signal?.aborted) return;
    this.#stopped = true;
    throw new CancelFitException('aborted');
  }

  #forward(): void {
    const learn = this.#learn;
    this.#compute(() => {
      learn.pred = resultOf("the model's prediction", learn.model.forward(...learn.xb));
    });
  }

  #loss(): void {
    const learn = this.#learn;
    this.#compute(() => {
      learn.lossGrad = resultOf('the loss', learn.lossFunc(learn.pred, ...learn.yb));
      learn.loss = learn.lossGrad.detach().clone();
    });
  }

  #backward(): void {
    this.#run(() => {
      this.#learn.lossGrad.backward();
    });
  }

  // For a graph: events fire at once, as nothing may come between.
  readonly #work: BatchWork = {
    batch: () => {
      const learn = this.#learn;
      const [afterPred, afterLoss, beforeBackward] = batchEvents;
      this.#forward();
      this.#fireAtOnce(afterPred);
      this.#loss();
      this.#fireAtOnce(afterLoss);
      this.#fireAtOnce(beforeBackward);
      this.#backward();
      return [learn.pred.detach(), learn.loss];
    },
    step: (step: CapturedStep) => {
      const [afterBackward, beforeStep, afterStep] = stepEvents;
      this.#fireAtOnce(afterBackward);
      this.#fireAtOnce(beforeStep);
      step.take();
      this.#fireAtOnce(afterStep);
      if (!step.zeroesGrad) this.#learn.opt?.zeroGrad();
    },
  };

  #fireAtOnce(event: EventName): void {
    const learn = this.#learn;
    for (const cb of learn.orderedCbs) {
      if (!reaches(cb, event, learn.training)) continue;
      this.#run(() => {
        void refusePromise(event, cb[event]?.(learn));
      });
    }
  }

  #replay(): Replayed {
    const learn = this.#learn;
    const { stepGraph, training } = learn;
    if (!training || !stepGraph) return 'nothing';
    return this.#scope.run(() => stepGraph.replay(learn, this.#work));
  }

  async #batch(): Promise<void> {
    const learn = this.#learn;
    const { opt } = learn;
    const replayed = this.#replay();
    if (replayed === 'step') return;
    if (replayed === 'batch') await this.#fire('afterBackward');
    else {
      this.#forward();
      await this.#fire('afterPred');
      if (learn.yb.length === 0) return;
      this.#loss();
      await this.#fire('afterLoss');
      if (!learn.training || !opt) return;
      await this.#stage(stages.backward, () => {
        this.#backward();
      });
    }
    if (!opt) return;
    const takesOptions = optionTakers.includes(opt.constructor);
    // Whom afterStep reaches may look at gradients.
    const zeroGrad = takesOptions && listeners(learn, ['afterStep']).length === 0;
    const done = { isZeroed: false };
    learn.gradScale = takesOptions ? 1 : undefined;
    await this.#stage(stages.step, () => {
      const { gradScale, scaler } = learn;
      if (scaler) {
        scaler.step(opt);
        return;
      }
      opt.step(gradScale === undefined ? undefined : { gradScale, zeroGrad });
      done.isZeroed = zeroGrad;
    });
    if (!done.isZeroed) opt.zeroGrad();
  }
}
