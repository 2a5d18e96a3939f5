import type { Parameter } from '../tensor/parameter';
import type { Tensor } from '../tensor/tensor';
import { NativeModule, registerLayers } from './native';

/** A size for both (all) dimensions, or one for each. */
export type Size = number | readonly number[];

/** A layer with a weight and, where it was not left out, a bias. */
abstract class Weighted extends NativeModule {
  get weight(): Parameter {
    return this.ownWeight;
  }

  get bias(): Parameter | undefined {
    return this.parameter('bias');
  }
}

export interface ConvOptions {
  readonly stride?: Size;
  readonly padding?: Size;
  readonly dilation?: Size;
  /** Divides both numbers of channels. */
  readonly groups?: number;
  readonly bias?: boolean;
  readonly paddingMode?: 'zeros' | 'reflect' | 'replicate' | 'circular';
}

abstract class Conv extends Weighted {
  constructor(
    kind: string,
    inChannels: number,
    outChannels: number,
    kernelSize: Size,
    options: object = {},
  ) {
    super(kind, { inChannels, outChannels, kernelSize, ...options });
  }
}

/** Convolves `[B, inChannels, L]`. Source: `torch.nn.Conv1d`. */
export class Conv1d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options?: ConvOptions) {
    super('Conv1d', inChannels, outChannels, kernelSize, options);
  }
}

/**
 * Convolves `[B, inChannels, H, W]` to `[B, outChannels, H', W']`. Source: `torch.nn.Conv2d`.
 *
 * @example
 * ```ts
 * new nn.Conv2d(3, 32, 3, { stride: 2, padding: 1, bias: false }).weight.shape; // [32, 3, 3, 3]
 * ```
 */
export class Conv2d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options?: ConvOptions) {
    super('Conv2d', inChannels, outChannels, kernelSize, options);
  }
}

/** Convolves `[B, inChannels, D, H, W]`. Source: `torch.nn.Conv3d`. */
export class Conv3d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options?: ConvOptions) {
    super('Conv3d', inChannels, outChannels, kernelSize, options);
  }
}

export interface ConvTransposeOptions extends Omit<ConvOptions, 'paddingMode'> {
  readonly outputPadding?: Size;
}

/** Spreads `[B, inChannels, H, W]`, as the gradient of a convolution does. Source: `torch.nn.ConvTranspose2d`. */
export class ConvTranspose2d extends Conv {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Size,
    options?: ConvTransposeOptions,
  ) {
    super('ConvTranspose2d', inChannels, outChannels, kernelSize, options);
  }
}

/** Applies `x W^T + b` to the last dimension. Source: `torch.nn.Linear`. */
export class Linear extends Weighted {
  constructor(inFeatures: number, outFeatures: number, options: { readonly bias?: boolean } = {}) {
    super('Linear', { inFeatures, outFeatures, ...options });
  }
}

/** Looks up rows of a table of `[numEmbeddings, embeddingDim]` by integers. Source: `torch.nn.Embedding`. */
export class Embedding extends NativeModule {
  constructor(
    numEmbeddings: number,
    embeddingDim: number,
    options: { readonly paddingIdx?: number } = {},
  ) {
    super('Embedding', { numEmbeddings, embeddingDim, ...options });
  }

  get weight(): Parameter {
    return this.ownWeight;
  }
}

// ---- normalisation ----

export interface BatchNormOptions {
  readonly eps?: number;
  readonly momentum?: number;
  readonly affine?: boolean;
  readonly trackRunningStats?: boolean;
}

/** A normalisation; with `affine: false` it has neither weight nor bias. */
export abstract class Norm extends NativeModule {
  get weight(): Parameter | undefined {
    return this.parameter('weight');
  }

  get bias(): Parameter | undefined {
    return this.parameter('bias');
  }
}

abstract class BatchNorm extends Norm {
  constructor(kind: string, numFeatures: number, options: BatchNormOptions = {}) {
    super(kind, { numFeatures, ...options });
  }

  #buffer(name: string): Tensor | undefined {
    return this.ownBuffers().find(([own]) => own === name)?.[1];
  }

  get runningMean(): Tensor | undefined {
    return this.#buffer('running_mean');
  }

  get runningVar(): Tensor | undefined {
    return this.#buffer('running_var');
  }
}

/** Normalises each channel of `[B, C]` or `[B, C, L]` over the batch. Source: `torch.nn.BatchNorm1d`. */
export class BatchNorm1d extends BatchNorm {
  constructor(numFeatures: number, options?: BatchNormOptions) {
    super('BatchNorm1d', numFeatures, options);
  }
}

/** Normalises each channel of `[B, C, H, W]` over the batch. Source: `torch.nn.BatchNorm2d`. */
export class BatchNorm2d extends BatchNorm {
  constructor(numFeatures: number, options?: BatchNormOptions) {
    super('BatchNorm2d', numFeatures, options);
  }
}

/** Normalises each channel of `[B, C, D, H, W]` over the batch. Source: `torch.nn.BatchNorm3d`. */
export class BatchNorm3d extends BatchNorm {
  constructor(numFeatures: number, options?: BatchNormOptions) {
    super('BatchNorm3d', numFeatures, options);
  }
}

/** Normalises each channel of each image of `[B, C, H, W]`. Source: `torch.nn.InstanceNorm2d`. */
export class InstanceNorm2d extends Norm {
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super('InstanceNorm2d', { numFeatures, ...options });
  }
}

/** Normalises over the last dimensions. Source: `torch.nn.LayerNorm`. */
export class LayerNorm extends Norm {
  constructor(
    normalizedShape: Size,
    options: { readonly eps?: number; readonly elementwiseAffine?: boolean } = {},
  ) {
    super('LayerNorm', { normalizedShape, ...options });
  }
}

/** Normalises groups of channels of each item. Source: `torch.nn.GroupNorm`. */
export class GroupNorm extends Norm {
  constructor(
    numGroups: number,
    numChannels: number,
    options: { readonly eps?: number; readonly affine?: boolean } = {},
  ) {
    super('GroupNorm', { numGroups, numChannels, ...options });
  }
}

// ---- pooling and shape ----

export interface PoolOptions {
  /** The kernel size where it isn't given. */
  readonly stride?: Size;
  readonly padding?: Size;
  readonly ceilMode?: boolean;
}

/** Takes the largest value of each window of `[B, C, H, W]`. Source: `torch.nn.MaxPool2d`. */
export class MaxPool2d extends NativeModule {
  constructor(kernelSize: Size, options: PoolOptions & { readonly dilation?: Size } = {}) {
    super('MaxPool2d', { kernelSize, ...options });
  }
}

/** Takes the mean of each window of `[B, C, H, W]`. Source: `torch.nn.AvgPool2d`. */
export class AvgPool2d extends NativeModule {
  constructor(
    kernelSize: Size,
    options: PoolOptions & { readonly countIncludePad?: boolean } = {},
  ) {
    super('AvgPool2d', { kernelSize, ...options });
  }
}

/** Averages `[B, C, H, W]` down to `[B, C, ...outputSize]`. Source: `torch.nn.AdaptiveAvgPool2d`. */
export class AdaptiveAvgPool2d extends NativeModule {
  constructor(outputSize: Size) {
    super('AdaptiveAvgPool2d', { outputSize });
  }
}

/** Takes maxima of `[B, C, H, W]` down to `[B, C, ...outputSize]`. Source: `torch.nn.AdaptiveMaxPool2d`. */
export class AdaptiveMaxPool2d extends NativeModule {
  constructor(outputSize: Size) {
    super('AdaptiveMaxPool2d', { outputSize });
  }
}

/** Joins dimensions, all but the batch where none are given. Source: `torch.nn.Flatten`. */
export class Flatten extends NativeModule {
  constructor(options: { readonly startDim?: number; readonly endDim?: number } = {}) {
    super('Flatten', options);
  }
}

/** Enlarges `[B, C, ...]` to a size or by a factor, nearest neighbour. Source: `torch.nn.Upsample`. */
export class Upsample extends NativeModule {
  constructor(options: { readonly size: Size } | { readonly scaleFactor: number }) {
    super('Upsample', options);
  }
}

// ---- dropout and activations ----

export interface DropoutOptions {
  readonly inplace?: boolean;
}

/** Zeroes elements with probability `p` while training, and scales the rest by `1 / (1 - p)`. Source: `torch.nn.Dropout`. */
export class Dropout extends NativeModule {
  constructor(p = 0.5, options: DropoutOptions = {}) {
    super('Dropout', { p, ...options });
  }
}

/** Zeroes whole channels with probability `p` while training. Source: `torch.nn.Dropout2d`. */
export class Dropout2d extends NativeModule {
  constructor(p = 0.5, options: DropoutOptions = {}) {
    super('Dropout2d', { p, ...options });
  }
}

export interface ActivationOptions {
  /** Overwrites the input. */
  readonly inplace?: boolean;
}

/** Applies `max(x, 0)`. */
export class ReLU extends NativeModule {
  constructor(options: ActivationOptions = {}) {
    super('ReLU', options);
  }
}

/** Applies `x` where it is positive, else `negativeSlope * x`. */
export class LeakyReLU extends NativeModule {
  constructor(options: ActivationOptions & { readonly negativeSlope?: number } = {}) {
    super('LeakyReLU', options);
  }
}

/** Applies `x * Phi(x)`. */
export class GELU extends NativeModule {
  constructor(options: { readonly approximate?: 'none' | 'tanh' } = {}) {
    super('GELU', options);
  }
}

/** Applies `x * sigmoid(x)`. */
export class SiLU extends NativeModule {
  constructor() {
    super('SiLU', {});
  }
}

/** Applies `1 / (1 + exp(-x))`. */
export class Sigmoid extends NativeModule {
  constructor() {
    super('Sigmoid', {});
  }
}

/** Applies the hyperbolic tangent. */
export class Tanh extends NativeModule {
  constructor() {
    super('Tanh', {});
  }
}

/** Passes its input on. */
export class Identity extends NativeModule {
  constructor() {
    super('Identity', {});
  }
}

/** Turns scores along `dim` into probabilities. */
export class Softmax extends NativeModule {
  constructor(dim: number) {
    super('Softmax', { dim });
  }
}

/** Turns scores along `dim` into logarithms of probabilities. */
export class LogSoftmax extends NativeModule {
  constructor(dim: number) {
    super('LogSoftmax', { dim });
  }
}

registerLayers({
  ...{ Conv1d, Conv2d, Conv3d, ConvTranspose2d, Linear, Embedding },
  ...{ BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm2d, LayerNorm, GroupNorm },
  ...{ MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, AdaptiveMaxPool2d, Flatten, Upsample },
  ...{
    Dropout,
    Dropout2d,
    ReLU,
    LeakyReLU,
    GELU,
    SiLU,
    Sigmoid,
    Tanh,
    Identity,
    Softmax,
    LogSoftmax,
  },
});
