export { Parameter } from '../tensor/parameter';
export { Module, type ForwardHook, type Named } from './module';
export { NativeModule } from './native';
export { ModuleList, Sequential } from './sequential';
export type { LoadOptions, LoadResult, StateDict } from './state';
export {
  AdaptiveAvgPool2d,
  AdaptiveMaxPool2d,
  AvgPool2d,
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  Conv1d,
  Conv2d,
  Conv3d,
  ConvTranspose2d,
  Dropout,
  Dropout2d,
  Embedding,
  Flatten,
  GELU,
  GroupNorm,
  Identity,
  InstanceNorm2d,
  LayerNorm,
  LeakyReLU,
  Linear,
  LogSoftmax,
  MaxPool2d,
  Norm,
  ReLU,
  SiLU,
  Sigmoid,
  Softmax,
  Tanh,
  Upsample,
  type ActivationOptions,
  type BatchNormOptions,
  type ConvOptions,
  type ConvTransposeOptions,
  type DropoutOptions,
  type PoolOptions,
  type Size,
} from './layers';
export { bceWithLogits, crossEntropy, l1Loss, mseLoss, nllLoss, type BceOptions, type CrossEntropyOptions, type LossOptions, type Reduction } from './losses';
export * as init from './init';
