import { NativeModule, registerLayers } from './native';
import type { Size } from './size';

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

registerLayers({ MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, AdaptiveMaxPool2d, Flatten, Upsample });
