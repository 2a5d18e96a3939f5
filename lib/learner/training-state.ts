import type { Loader } from '../data/types';
import { ArgumentError } from '../internal/errors';
import type { GradScaler } from '../optim';
import type { AutocastOptions } from '../tensor/autocast';
import type { Tensor } from '../tensor/tensor';
import type { StepGraph } from './capture';

/** Where a learner stands in its training: for callbacks to read, and to change what comes next. */
export class TrainingState {
  /** Whether it trains now, rather than validates. */
  training = false;
  /** The current epoch, from 0, of `nEpoch`. */
  epoch = 0;
  nEpoch = 1;
  /** The current batch, from 0, of `nIter` in `dl`. */
  iter = 0;
  nIter = 0;
  dl: Loader | undefined;
  /** The training batches since the fit began. */
  trainIter = 0;
  /** How much of the training is done, from 0 to 1. */
  pctTrain = 0;
  /** What was measured last: losses and metrics, without epoch and time. */
  finalRecord: readonly (number | undefined)[] = [];
  /** What the forward pass and the loss are cast to; set by `MixedPrecision`. */
  autocast: AutocastOptions | undefined;
  /** @internal Replays training batches, after `Learner.capture`. */
  stepGraph: StepGraph | undefined;
  /** Whether the batch is recorded for a graph: nothing can be read from the device then. */
  isRecording = false;
  /** @internal Whether a graph did forward and backward pass of the batch, whose events didn't fire. */
  isReplayed = false;
  /** @internal A number on the device: where it isn't 0, the step of a graph is skipped. */
  skip: Tensor | undefined;
  /** @internal What the step is to multiply the gradients by; undefined where it can't. */
  gradScale: number | undefined;
  /** @internal What takes the step of this batch, or leaves it out; undefined where nothing does that. */
  scaler: GradScaler | undefined;
  /** The inputs of the batch. */
  xb: readonly Tensor[] = [];
  /** The targets of the batch. */
  yb: readonly Tensor[] = [];
  #pred: Tensor | undefined;
  #loss: Tensor | undefined;
  #lossGrad: Tensor | undefined;

  /** The first input. */
  get x(): Tensor {
    return present('x', this.xb[0]);
  }

  /** The first target. */
  get y(): Tensor {
    return present('y', this.yb[0]);
  }

  /** What the model made of the batch. */
  get pred(): Tensor {
    return present('pred', this.#pred);
  }

  set pred(value: Tensor) {
    this.#pred = value;
  }

  /** The loss of the batch as it is recorded, without a graph. */
  get loss(): Tensor {
    return present('loss', this.#loss);
  }

  set loss(value: Tensor) {
    this.#loss = value;
  }

  /** Whether the batch has come to its loss: without targets, or when it was left before, it has none. */
  get hasLoss(): boolean {
    return this.#loss !== undefined;
  }

  /** The loss of the batch from which the gradients come. */
  get lossGrad(): Tensor {
    return present('lossGrad', this.#lossGrad);
  }

  set lossGrad(value: Tensor) {
    this.#lossGrad = value;
  }

  /** @internal */
  setBatch(xb: readonly Tensor[], yb: readonly Tensor[]): void {
    this.xb = xb;
    this.yb = yb;
    this.#pred = this.#loss = this.#lossGrad = undefined;
    this.gradScale = this.scaler = undefined;
    this.isReplayed = false;
  }
}

function present(name: string, value: Tensor | undefined): Tensor {
  if (value) return value;
  throw new ArgumentError(
    `learn.${name}: expected a batch that has come so far, got none; read it in a later event of the batch`,
  );
}
