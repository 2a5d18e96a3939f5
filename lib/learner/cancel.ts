/** Thrown by a callback to leave a stage of the training; each stage has its own. Not an error: `fit` goes on from there. */
export abstract class CancelException extends Error {
  override get name(): string {
    return this.constructor.name;
  }
}

/** Leaves the current batch: no step, and gradients stay as they are. Then come `afterCancelBatch` and `afterBatch`. */
export class CancelBatchException extends CancelException {}

/** Leaves the backward pass; the step goes on with the gradients that there are. */
export class CancelBackwardException extends CancelException {}

/** Leaves out the optimizer's step; the gradients are zeroed as after a step. */
export class CancelStepException extends CancelException {}

/** Leaves the training part of the epoch; the validation follows. */
export class CancelTrainException extends CancelException {}

/** Leaves the validation part of the epoch. */
export class CancelValidException extends CancelException {}

/** Leaves the current epoch; the next one follows. */
export class CancelEpochException extends CancelException {}

/** Ends the training; `fit` returns as usual. */
export class CancelFitException extends CancelException {}
