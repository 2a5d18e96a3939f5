export {
  AddonMismatchError,
  ArgumentError,
  DisposedError,
  TorchError,
  TorchNotFoundError,
  TorchOutOfMemoryError,
  UnknownOptionError,
  UnsupportedOperatorError,
  type TorchErrorDetails,
} from './internal/errors';
export type { TypedArray } from './internal/native';
export { Tensor, GradNode, type BackwardOptions, type ToOptions } from './tensor/tensor';
export { Parameter } from './tensor/parameter';
export type { HookRemover } from './tensor/hooks';
export type { Device, DType, Scalar } from './tensor/dtype';
export type { NestedArray } from './tensor/format';
export {
  arange,
  empty,
  eye,
  full,
  linspace,
  ones,
  rand,
  randint,
  randn,
  randperm,
  tensor,
  zeros,
  type ArangeOptions,
  type RandomOptions,
  type Shape,
  type TensorLike,
  type TensorOptions,
} from './tensor/create';
export { enableGrad, isGradEnabled, noGrad } from './tensor/autograd';
export * as autograd from './tensor/autograd';
export { Generator, getRngState, manualSeed, setRngState } from './tensor/generator';
export {
  getNumThreads,
  setNumThreads,
  useDeterministicAlgorithms,
  version,
  type Version,
} from './tensor/runtime';
export { keep, memory, Scope, tidy } from './tensor/scope';
export { cat, einsum, stack, where } from './ops/generated/functions';
export * as ops from './ops';
export type { Namespace, RawOperator } from './ops/aten';
export type { Layout, MemoryFormat } from './ops/types';
export * as nn from './nn';
export * as models from './models';
export * as optim from './optim';
export { Adam, debias, Nadam, Optimizer, SGD, slice } from './optim';
export {
  accuracy,
  AvgLoss,
  AvgMetric,
  AvgSmoothLoss,
  Callback,
  CancelBackwardException,
  CancelBatchException,
  CancelEpochException,
  CancelException,
  CancelFitException,
  CancelStepException,
  CancelTrainException,
  CancelValidException,
  combinedCos,
  combineScheds,
  errorRate,
  GradientAccumulation,
  GradientClip,
  Learner,
  LRFinder,
  mae,
  mse,
  normBiasParams,
  ParamScheduler,
  ProgressCallback,
  Recorder,
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
  TerminateOnNaN,
  topKAccuracy,
  trainableParams,
  TrainEvalCallback,
  type EventHandlers,
  type EventName,
  type EventResult,
  type FineTuneOptions,
  type FitFlatCosOptions,
  type FitOneCycleOptions,
  type FitOptions,
  type FitSgdrOptions,
  type Fitting,
  type LearnerOptions,
  type LossFunction,
  type LRFindOptions,
  type LRFindResult,
  type Metric,
  type MetricFunction,
  type Moms,
  type OneOrMore,
  type PlainFitOptions,
  type Predictions,
  type ProgressOptions,
  type Schedule,
  type ScheduleValue,
  type Splitter,
  type ValidateOptions,
} from './learner';
export {
  cifar10,
  DataLoader,
  mnist,
  normalizeImages,
  type Batch,
  type BatchTransform,
  type DataLoaderOptions,
  type DataLoaders,
  type DatasetOptions,
  type ImageDataset,
  type LabelledImages,
  type Loader,
  type TensorPair,
} from './data';
