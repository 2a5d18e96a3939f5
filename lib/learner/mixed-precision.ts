import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { GradScaler, type GradScalerOptions } from '../optim';
import type { AutocastDType } from '../tensor/autocast';
import { full } from '../tensor/create';
import { keep } from '../tensor/scope';
import { Callback, type Fitting } from './callback';
import { CancelStepException } from './cancel';
import type { Learner } from './learner';
import { listeners } from './listeners';

/** The half type of mixed precision. */
export type AmpMode = 'fp16' | 'bf16';

const dtypes: Readonly<Record<AmpMode, AutocastDType>> = { fp16: 'float16', bf16: 'bfloat16' };

function isAmpMode(mode: unknown): mode is AmpMode {
  return typeof mode === 'string' && Object.hasOwn(dtypes, mode);
}

/**
 * Runs the forward pass and the loss with `autocast`, gives the loss predictions in float32, and in float16 scales the loss
 * by a `GradScaler`: a step with an infinite gradient is left out, as by `CancelStepException` where a callback minds that. The
 * events between don't run with `autocast`. `learn.toFp16()` and `learn.toBf16()` add it.
 *
 * Source: fastai's `MixedPrecision`.
 */
export class MixedPrecision extends Callback {
  // After what changes the loss, before what looks at gradients: those are unscaled by then.
  override order = 10;
  override capturable = true;
  override capturableStep = true;
  readonly ampMode: AmpMode;
  /** Begins anew with each fit. Off in bfloat16, which needs none. */
  readonly scaler: GradScaler;
  // Since the last step: a backward pass may be cancelled, and so may a step, by a callback before this one.
  #hasScaled = false;
  #hasUnscaled = false;

  /**
   * @param options those of the scaler; none in bfloat16.
   * @throws ArgumentError for another mode.
   */
  constructor(ampMode: AmpMode = 'fp16', options: GradScalerOptions = {}) {
    super();
    const mode: unknown = ampMode;
    if (!isAmpMode(mode)) {
      throw new ArgumentError(
        `MixedPrecision: expected the mode 'fp16' or 'bf16', got ${inspect(mode)}`,
      );
    }
    if (mode === 'bf16') checkOptions("MixedPrecision 'bf16'", options, []);
    this.ampMode = mode;
    this.scaler = new GradScaler(mode === 'bf16' ? { enabled: false } : options);
  }

  override beforeFit(learn: Learner): void {
    if (this.scaler.isEnabled && learn.stepGraph)
      learn.skip = keep(full([], 0, { device: learn.device ?? 'cpu' }));
    learn.autocast = { dtype: dtypes[this.ampMode] };
  }

  override afterPred(learn: Learner): void {
    const { dtype } = learn.pred;
    if (dtype === 'float16' || dtype === 'bfloat16') learn.pred = learn.pred.float();
  }

  override beforeBackward(learn: Learner): void {
    learn.lossGrad = this.scaler.scale(learn.lossGrad);
    this.#begin();
  }

  override afterBackward(learn: Learner): void {
    if (learn.isReplayed) this.#begin(); // a graph has scaled the loss
  }

  #begin(): void {
    // What can't be recorded is left in the middle.
    if (this.#hasUnscaled) this.scaler.forget();
    this.#hasUnscaled = false;
    this.#hasScaled = true;
  }

  override beforeStep(learn: Fitting): void {
    const { opt, isRecording, skip } = learn;
    if (!this.scaler.isEnabled || !this.#hasScaled) return;
    this.#hasUnscaled = true;
    if (isRecording && skip) {
      this.scaler.unscaleInto(opt, skip);
      return;
    }
    this.scaler.unscale_(opt);
    if (this.#isMinded(learn)) {
      if (this.scaler.foundInf(opt)) throw new CancelStepException();
    } else {
      learn.scaler = this.scaler;
      learn.gradScale = undefined; // the scaler's step doesn't take it
    }
  }

  // Whether a callback has to hear of it when a step is left out, so that the device can't do that by itself.
  #isMinded(learn: Learner): boolean {
    const steps = listeners(learn, ['beforeStep']);
    const later = steps.slice(steps.indexOf(this) + 1);
    return [...later, ...listeners(learn, ['afterCancelStep'])].some((cb) => !cb.capturableStep);
  }

  override afterStep(_learn: Learner): void {
    if (this.#hasUnscaled) this.scaler.update();
    this.#hasScaled = this.#hasUnscaled = false;
  }

  override afterFit(learn: Learner): void {
    learn.autocast = undefined;
    learn.skip?.dispose();
    learn.skip = undefined;
    this.scaler.dispose();
  }

  override onError(learn: Learner, _error: unknown): void {
    this.afterFit(learn);
  }
}
