import { NativeModule, registerLayers } from './native';

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
  ...{ Dropout, Dropout2d, ReLU, LeakyReLU, GELU, SiLU },
  ...{ Sigmoid, Tanh, Identity, Softmax, LogSoftmax },
});
