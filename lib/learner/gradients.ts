import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { limitOf, scaleAll, totalNorm } from '../optim/norms';
import { noGrad } from '../tensor/autograd';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Callback, type Fitting } from './callback';
import { CancelBatchException, CancelFitException } from './cancel';
import { listeners } from './listeners';
import type { Learner } from './learner';

function checkPositive(where: string, value: number): number {
  if (typeof value === 'number' && value > 0) return value;
  throw new ArgumentError(`${where}: expected a positive number, got ${inspect(value)}`);
}

/** Scales all gradients down together when their L2 norm is more than `maxNorm`. Source: fastai's `GradientClip`. */
export class GradientClip extends Callback {
  override order = 11;
  override runValid = false;
  override capturableStep = true;
  readonly maxNorm: number;

  constructor(maxNorm = 1) {
    super();
    this.maxNorm = checkPositive('GradientClip', maxNorm);
  }

  override beforeStep(learn: Fitting): void {
    const [first, ...rest] = learn.opt.allParams().flatMap(([p]) => p.grad ?? []);
    if (!first) return;
    noGrad(() =>
      tidy(() => {
        const grads = [first, ...rest] as const;
        const scale = limitOf(totalNorm(grads), this.maxNorm);
        if (this.#isForStep(learn, grads)) learn.gradScale = scale.item();
        else scaleAll(grads, scale);
      }),
    );
  }

  // The step scales in its own pass, and by the same number, where nobody sees the gradients before, or waits for that number.
  #isForStep(learn: Learner, grads: readonly Tensor[]): boolean {
    if (learn.gradScale === undefined || listeners(learn, ['beforeStep']).at(-1) !== this)
      return false;
    return grads.every(({ device, dtype }) => device === 'cpu' && dtype === 'float32');
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
