export { Parameter } from '../tensor/parameter';
export { Module, type ForwardHook, type Named } from './module';
export { NativeModule } from './native';
export { ModuleList, Sequential } from './sequential';
export type { LoadOptions, LoadResult, StateDict } from './state';
export type { Size } from './size';
export {
  Conv1d,
  Conv2d,
  Conv3d,
  ConvTranspose2d,
  Embedding,
  Linear,
  type ConvOptions,
  type ConvTransposeOptions,
} from './conv';
export {
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  GroupNorm,
  InstanceNorm2d,
  LayerNorm,
  Norm,
  type BatchNormOptions,
} from './norm';
export {
  AdaptiveAvgPool2d,
  AdaptiveMaxPool2d,
  AvgPool2d,
  Flatten,
  MaxPool2d,
  Upsample,
  type PoolOptions,
} from './pool';
export {
  Dropout,
  Dropout2d,
  GELU,
  Identity,
  LeakyReLU,
  LogSoftmax,
  ReLU,
  SiLU,
  Sigmoid,
  Softmax,
  Tanh,
  type ActivationOptions,
  type DropoutOptions,
} from './activation';
export {
  bceWithLogits,
  crossEntropy,
  l1Loss,
  mseLoss,
  nllLoss,
  type BceOptions,
  type CrossEntropyOptions,
  type LossOptions,
  type Reduction,
} from './losses';
export * as init from './init';
