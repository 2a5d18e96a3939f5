export { slice, Slice, evenMults } from './slice';
export { debias } from './debias';
export { statCallback, stepCallback } from './callback';
export type {
  Declaration,
  DeclaredCallback,
  DampeningOptions,
  StatState,
  StepState,
} from './callback';
export {
  adamStep,
  averageGrad,
  averageSqrGrad,
  l2Reg,
  momentumStep,
  nadamStep,
  sgdStep,
  stepStat,
  weightDecay,
} from './callbacks';
export { Optimizer } from './optimizer';
export type {
  AllParamsOptions,
  Fused,
  GroupRange,
  OptimizerOptions,
  ParamEntry,
} from './optimizer';
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
export type { OptFunc, OptimizerFactoryOptions } from './factory';
export { SGD, type SGDOptions } from './sgd';
export { Adam, type AdamOptions } from './adam';
export { Nadam } from './nadam';
export { gradNorm } from './grad-norm';
