import type { Parameter } from '../tensor/parameter';
import { NativeModule, registerLayers } from './native';
import type { Size } from './size';

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
  /** `'same'` gives the output the size of the input, `'valid'` is 0. */
  readonly padding?: Size | 'same' | 'valid';
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

export interface ConvTransposeOptions extends Omit<ConvOptions, 'padding' | 'paddingMode'> {
  readonly padding?: Size;
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

registerLayers({ Conv1d, Conv2d, Conv3d, ConvTranspose2d, Linear, Embedding });
