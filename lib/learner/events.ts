import {
  CancelBackwardException,
  CancelBatchException,
  CancelEpochException,
  CancelFitException,
  CancelStepException,
  CancelTrainException,
  CancelValidException,
} from './cancel';

/** All events in the order in which a fit fires them. */
export const eventNames = [
  'afterCreate',
  'beforeFit',
  'beforeEpoch',
  'beforeTrain',
  'beforeBatch',
  'afterPred',
  'afterLoss',
  'beforeBackward',
  'afterCancelBackward',
  'afterBackward',
  'beforeStep',
  'afterCancelStep',
  'afterStep',
  'afterCancelBatch',
  'afterBatch',
  'afterCancelTrain',
  'afterTrain',
  'beforeValidate',
  'afterCancelValidate',
  'afterValidate',
  'afterCancelEpoch',
  'afterEpoch',
  'afterCancelFit',
  'afterFit',
] as const;

/** The name of an event, which is the name of a callback's method. */
export type EventName = (typeof eventNames)[number];

const batchEvents: ReadonlySet<EventName> = new Set(
  eventNames.slice(eventNames.indexOf('beforeBatch'), eventNames.indexOf('afterBatch') + 1),
);

/** Tells whether an event belongs to one batch: `runTrain` and `runValid` choose among those only. */
export function isBatchEvent(event: EventName): boolean {
  return batchEvents.has(event);
}

/** A part of the training with an event before and after it, and one in between when it was left by its exception. */
export interface Stage {
  readonly before: EventName;
  readonly Cancel: new () => Error;
  readonly cancelled: EventName;
  readonly after: EventName;
}

/** The stages, from the outermost in. */
export const stages = {
  fit: {
    before: 'beforeFit',
    Cancel: CancelFitException,
    cancelled: 'afterCancelFit',
    after: 'afterFit',
  },
  epoch: {
    before: 'beforeEpoch',
    Cancel: CancelEpochException,
    cancelled: 'afterCancelEpoch',
    after: 'afterEpoch',
  },
  train: {
    before: 'beforeTrain',
    Cancel: CancelTrainException,
    cancelled: 'afterCancelTrain',
    after: 'afterTrain',
  },
  validate: {
    before: 'beforeValidate',
    Cancel: CancelValidException,
    cancelled: 'afterCancelValidate',
    after: 'afterValidate',
  },
  batch: {
    before: 'beforeBatch',
    Cancel: CancelBatchException,
    cancelled: 'afterCancelBatch',
    after: 'afterBatch',
  },
  backward: {
    before: 'beforeBackward',
    Cancel: CancelBackwardException,
    cancelled: 'afterCancelBackward',
    after: 'afterBackward',
  },
  step: {
    before: 'beforeStep',
    Cancel: CancelStepException,
    cancelled: 'afterCancelStep',
    after: 'afterStep',
  },
} as const satisfies Record<string, Stage>;
