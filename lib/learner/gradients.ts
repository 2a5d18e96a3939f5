import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { limitNorm, totalNorm } from '../optim/clip';
import { noGrad } from '../tensor/autograd';
import { tidy } from '../tensor/scope';
import { Callback, type Fitting } from './callback';
import { CancelBatchException, CancelFitException } from './cancel';
import type { Learner } from './learner';

function checkPositive(where: string, value: number): number {
  if (typeof value === 'number' && value > 0) return value;
  throw new ArgumentError(`${where}: expected a positive number, got ${inspect(value)}`);
}

/** Scales all gradients down together when their L2 norm is more than `maxNorm`. Source: fastai's `GradientClip`. */
export class GradientClip extends Callback {
  override order = 11;
  override runValid = false;
  readonly maxNorm: number;

  constructor(maxNorm = 1) {
    super();
    this.maxNorm = checkPositive('GradientClip', maxNorm);
  }

  override beforeStep({ opt }: Fitting): void {
    const [first, ...rest] = opt.allParams().flatMap(([p]) => p.grad ?? []);
    if (!first) return;
    noGrad(() =>
      tidy(() => {
        limitNorm([first, ...rest], totalNorm([first, ...rest]), this.maxNorm);
      }),
    );
  }
}

/** Takes a step only once `nAcc` items have gone through, with their gradients added up. Source: fastai's `GradientAccumulation`. */
export class GradientAccumulation extends Callback {
  override order = 6;
  override runValid = false;
  override capturable = true;
  readonly nAcc: number;
  #count = 0;

  /** @param nAcc items, not batches. */
  constructor(nAcc = 32) {
    super();
    this.nAcc = checkPositive('GradientAccumulation', nAcc);
  }

  override beforeFit(_learn: Learner): void {
    this.#count = 0;
  }

  override afterLoss(learn: Learner): void {
    learn.lossGrad = learn.lossGrad.div(this.nAcc / itemsOf(learn));
  }

  override beforeStep(learn: Learner): void {
    this.#count += itemsOf(learn);
    if (this.#count < this.nAcc) throw new CancelBatchException();
    this.#count = 0;
  }
}

function itemsOf(learn: Learner): number {
  return learn.y.shape[0] ?? 1;
}

/** Ends the fit when the loss is no longer a finite number. Source: fastai's `TerminateOnNaNCallback`. */
export class TerminateOnNaN extends Callback {
  override order = -9;
  override runValid = false;

  override afterBatch(learn: Learner): void {
    if (learn.hasLoss && !Number.isFinite(learn.loss.item())) throw new CancelFitException();
  }
}
