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
export { getNumThreads, setNumThreads, useDeterministicAlgorithms, version, type Version } from './tensor/runtime';
export { keep, memory, Scope, tidy } from './tensor/scope';
export { cat, einsum, stack, where } from './ops/generated/functions';
export * as ops from './ops';
export type { Namespace, RawOperator } from './ops/aten';
export type { Layout, MemoryFormat } from './ops/types';
export * as nn from './nn';
export * as models from './models';
