export { slice, Slice, evenMults } from './slice';
export { debias } from './debias';
export { statCallback, stepCallback } from './callback';
export type {
  Declaration,
  DeclaredCallback,
  ReadState,
  StatDeclaration,
  StepDeclaration,
} from './callback';
export { elementwise } from './elementwise';
export type { ElementwiseDeclaration, ElementwiseResult, ElementwiseValues } from './elementwise';
export { expr, where, type Expr, type Operand } from './expression';
export {
  adamStep,
  averageGrad,
  averageSqrGrad,
  l2Reg,
  lambStep,
  larcLayerLr,
  larcStep,
  momentumStep,
  nadamStep,
  qhadamStep,
  radamStep,
  rmsPropStep,
  sgdStep,
  stepStat,
  weightDecay,
} from './callbacks';
export {
  adanStep,
  averageDiff,
  lionAverage,
  lionStep,
  muProduct,
  stableAdamStep,
  torchNadamStep,
} from './newer-callbacks';
export { Optimizer } from './optimizer';
export type { AllParamsOptions, GroupRange, ParamEntry } from './groups';
export type { Fused, OptimizerOptions, StateDtype, StepOptions } from './options';
export type { AnyCallback, Callbacks, HypersFor, HypersOf, HyperValuesOf } from './typed';
export type { OptimizerStateDict } from './state-dict';
export type { FastaiStateDict } from './state-dict-fastai';
export type { StateMap } from './state';
export type { Params } from './params';
export type {
  Callback,
  CallbackResult,
  GradParam,
  Hyper,
  HyperValue,
  HyperValues,
  ParamState,
  StatePatch,
} from './types';
export type { OptFunc, OptimizerFactoryOptions, OptimizerOf } from './factory';
export { SGD, type SGDOptions } from './sgd';
export { RMSProp, type RMSPropOptions } from './rmsprop';
export { Adam, type AdamOptions } from './adam';
export { AdamW, type AdamWOptions } from './adamw';
export { Nadam } from './nadam';
export { TorchNadam, type TorchNadamOptions } from './torch-nadam';
export { RAdam, type RAdamOptions } from './radam';
export { QHAdam, type QHAdamOptions } from './qhadam';
export { Larc, type LarcOptions } from './larc';
export { Lamb } from './lamb';
export { Lion, type LionOptions } from './lion';
export { Adan, type AdanOptions } from './adan';
export { StableAdam } from './stable-adam';
export { Lookahead, type FastaiLookaheadDict, type LookaheadOptions } from './lookahead';
export { Ranger, type RangerOptions } from './ranger';
export { gradNorm } from './grad-norm';
export { clipGradNorm, clipGradValue, type ClipGradNormOptions, type ClipTarget } from './clip';
export { GradScaler, type GradScalerOptions, type GradScalerStateDict } from './grad-scaler';
export { EMA, type EMAOptions, type EMAStateDict } from './ema';
export { StepTrace, type TracedCallback, type TraceValue, type TraceValues } from './trace';
export {
  OptimWrapper,
  torchHpMap,
  type OptimWrapperArguments,
  type OptimWrapperOptions,
} from './wrapper';
export { torchOptim, TorchOptimizer, type TorchFactory } from './wrapper-torch';
export type {
  TorchAdagradOptions,
  TorchAdamOptions,
  TorchGroup,
  TorchKind,
  TorchLBFGSOptions,
  TorchOptions,
  TorchParams,
  TorchRMSpropOptions,
  TorchSGDOptions,
} from './wrapper-options';
