export { Learner } from './learner';
export type {
  FitOptions,
  LearnerOptions,
  LossFunction,
  Moms,
  OneOrMore,
  PlainFitOptions,
  Splitter,
  ValidateOptions,
} from './options';
export type {
  FineTuneOptions,
  FitFlatCosOptions,
  FitOneCycleOptions,
  FitSgdrOptions,
} from './cycles';
export { Callback, type EventHandlers, type EventResult, type Fitting } from './callback';
export type { EventName } from './events';
export {
  CancelBackwardException,
  CancelBatchException,
  CancelEpochException,
  CancelException,
  CancelFitException,
  CancelStepException,
  CancelTrainException,
  CancelValidException,
} from './cancel';
export type { Predictions } from './predict';
export { Recorder } from './recorder';
export { TrainEvalCallback } from './train-eval';
export { ParamScheduler } from './param-scheduler';
export { ProgressCallback, type ProgressOptions } from './progress';
export { ChannelsLast } from './channels-last';
export { MixedPrecision, type AmpMode } from './mixed-precision';
export { GradientAccumulation, GradientClip, TerminateOnNaN } from './gradients';
export { LRFinder, type LRFindOptions, type LRFindResult } from './lr-find';
export {
  accuracy,
  AvgLoss,
  AvgMetric,
  AvgSmoothLoss,
  errorRate,
  mae,
  mse,
  topKAccuracy,
  type Metric,
  type MetricFunction,
} from './metrics';
export {
  combinedCos,
  combineScheds,
  schedCos,
  SchedCos,
  schedExp,
  SchedExp,
  schedLin,
  SchedLin,
  schedNo,
  SchedNo,
  schedPoly,
  SchedPoly,
  type Schedule,
  type ScheduleValue,
} from './schedule';
export { normBiasParams, trainableParams } from './params';
export { splitByChild, splitByName, type GroupSplitter } from './splitters';
