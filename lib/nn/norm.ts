import type { Parameter } from '../tensor/parameter';
import type { Tensor } from '../tensor/tensor';
import { NativeModule, registerLayers } from './native';
import type { Size } from './size';

export interface BatchNormOptions {
  readonly eps?: number;
  readonly momentum?: number;
  readonly affine?: boolean;
  readonly trackRunningStats?: boolean;
}

/** A normalisation; with `affine: false` it has neither weight nor bias. */
export abstract class Norm extends NativeModule {
  /** @throws ArgumentError with `affine: false`. */
  get weight(): Parameter {
    return this.ownWeight;
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

registerLayers({ BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm2d, LayerNorm, GroupNorm });
