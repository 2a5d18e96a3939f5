import { checkOptions } from '../internal/options';
import { NativeModule } from '../nn/native';

/** The options of the xresnets. */
export interface XResNetOptions {
  /** The number of classes; 1000 where it isn't given. */
  readonly nOut?: number;
  /** The number of channels of the images; 3 where it isn't given. */
  readonly cIn?: number;
  /** The dropout before the last layer, from 0 to 1; none where it isn't given. */
  readonly p?: number;
  /** The channels of the three convolutions of the stem; [32, 32, 64] where they aren't given. */
  readonly stemSizes?: readonly [number, number, number];
  /** Multiplies the channels of all stages; 1 where it isn't given. */
  readonly widen?: number;
  /** The kernel size, an odd number; 3 where it isn't given. */
  readonly ks?: number;
  /** The stride of the stem and of each stage but the first; 2 where it isn't given. */
  readonly stride?: number;
}

/** Makes an xresnet of its own on images `[B, cIn, H, W]`; its output is scores `[B, nOut]`. */
export type XResNetFactory = (options?: XResNetOptions) => NativeModule;

const optionNames = ['nOut', 'cIn', 'p', 'stemSizes', 'widen', 'ks', 'stride'];

function factory(name: string, expansion: number, layers: readonly number[]): XResNetFactory {
  return (options = {}) => {
    checkOptions(name, options, optionNames, { n_out: 'nOut', c_in: 'cIn', numClasses: 'nOut' });
    return new NativeModule('XResNet', { nOut: 1000, cIn: 3, ...options, expansion, layers });
  };
}

/**
 * Makes fastai's xresnet18: `[2, 2, 2, 2]` basic blocks.
 * Source: He et al. 2018, "Bag of Tricks for Image Classification" (resnet-D), as `fastai.vision.models.xresnet`.
 */
export const xresnet18 = factory('xresnet18', 1, [2, 2, 2, 2]);

/**
 * Makes fastai's xresnet34: `[3, 4, 6, 3]` basic blocks; 116 parameter tensors.
 *
 * @example
 * ```ts
 * const model = models.xresnet34({ nOut: 10 });
 * model.namedParameters()[0]; // ['0.0.weight', Parameter [32, 3, 3, 3]]
 * ```
 */
export const xresnet34 = factory('xresnet34', 1, [3, 4, 6, 3]);

/** Makes fastai's xresnet50: `[3, 4, 6, 3]` bottleneck blocks. */
export const xresnet50 = factory('xresnet50', 4, [3, 4, 6, 3]);

/** Makes fastai's xresnet101: `[3, 4, 23, 3]` bottleneck blocks. */
export const xresnet101 = factory('xresnet101', 4, [3, 4, 23, 3]);

/** Makes fastai's xresnet152: `[3, 8, 36, 3]` bottleneck blocks. */
export const xresnet152 = factory('xresnet152', 4, [3, 8, 36, 3]);
