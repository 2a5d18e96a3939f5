import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { checkNumbers } from '../internal/check';
import { checkOptions } from '../internal/options';
import { noGrad } from '../tensor/autograd';
import type { Generator } from '../tensor/generator';
import { checkTensor, type Tensor } from '../tensor/tensor';

/** Where the random numbers come from; the default generator where it isn't given. */
export interface InitOptions {
  readonly generator?: Generator;
}

/** How the Kaiming functions find their scale. */
export interface KaimingOptions extends InitOptions {
  /** Keeps the size of activations (`fanIn`, the default) or of gradients (`fanOut`). */
  readonly mode?: 'fanIn' | 'fanOut';
  readonly nonlinearity?: Nonlinearity;
  /** The negative slope of a leaky ReLU; 0 where it isn't given. */
  readonly a?: number;
}

const kaimingNames = ['mode', 'nonlinearity', 'a', 'generator'];

/** What follows the layer whose weights are set. */
export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu' | 'selu';

/** Returns the factor by which a nonlinearity's layer scales its weights. Source: `torch.nn.init.calculate_gain`. */
export function calculateGain(nonlinearity: Nonlinearity, slope = 0.01): number {
  checkNumbers('calculateGain', { slope });
  const gains = {
    linear: 1,
    sigmoid: 1,
    tanh: 5 / 3,
    relu: Math.SQRT2,
    leakyRelu: Math.sqrt(2 / (1 + slope * slope)),
    selu: 3 / 4,
  };
  if (Object.keys(gains).includes(nonlinearity)) return gains[nonlinearity];
  throw new ArgumentError(
    `calculateGain: expected one of ${Object.keys(gains).join(', ')}, got ${inspect(nonlinearity, { depth: 0 })}`,
  );
}

/** Returns how many values each output (`fanIn`) and each input (`fanOut`) of a weight is connected to. */
export function calculateFans(weight: Tensor): { fanIn: number; fanOut: number } {
  const [out, into, ...kernel] = checkTensor('init', weight).shape;
  if (out === undefined || into === undefined) {
    throw new ArgumentError(
      `init: expected a weight of two dimensions or more, got [${weight.shape.join(', ')}]`,
    );
  }
  const window = kernel.reduce((product, size) => product * size, 1);
  return { fanIn: into * window, fanOut: out * window };
}

function kaimingStd(
  weight: Tensor,
  { mode = 'fanIn', nonlinearity = 'leakyRelu', a = 0 }: KaimingOptions,
): number {
  const fans = calculateFans(weight);
  if (!Object.keys(fans).includes(mode)) {
    throw new ArgumentError(
      `init: expected the mode 'fanIn' or 'fanOut', got ${inspect(mode, { depth: 0 })}`,
    );
  }
  return calculateGain(nonlinearity, a) / Math.sqrt(fans[mode]);
}

function xavierStd(weight: Tensor, gain: number): number {
  checkNumbers('init', { gain });
  const { fanIn, fanOut } = calculateFans(weight);
  return gain * Math.sqrt(2 / (fanIn + fanOut));
}

/** Fills with normal random numbers. */
export function normal_(tensor: Tensor, mean = 0, std = 1, options: InitOptions = {}): Tensor {
  return noGrad(() => checkTensor('normal_', tensor).normal_(mean, std, options));
}

/** Fills with uniform random numbers from [`low`, `high`). */
export function uniform_(tensor: Tensor, low = 0, high = 1, options: InitOptions = {}): Tensor {
  return noGrad(() => checkTensor('uniform_', tensor).uniform_(low, high, options));
}

/** Fills with one value. */
export function constant_(tensor: Tensor, value: number): Tensor {
  return noGrad(() => checkTensor('constant_', tensor).fill_(value));
}

/** Fills with zeros. */
export function zeros_(tensor: Tensor): Tensor {
  return constant_(tensor, 0);
}

/** Fills with ones. */
export function ones_(tensor: Tensor): Tensor {
  return constant_(tensor, 1);
}

/** Fills a weight with normal random numbers of standard deviation `gain / sqrt(fan)`. Source: He et al. 2015. */
export function kaimingNormal_(weight: Tensor, options: KaimingOptions = {}): Tensor {
  checkOptions('kaimingNormal_', options, kaimingNames);
  checkNumbers('kaimingNormal_', { a: options.a });
  return normal_(weight, 0, kaimingStd(weight, options), generatorOf(options));
}

/** Fills a weight with uniform random numbers of standard deviation `gain / sqrt(fan)`. Source: He et al. 2015. */
export function kaimingUniform_(weight: Tensor, options: KaimingOptions = {}): Tensor {
  checkOptions('kaimingUniform_', options, kaimingNames);
  checkNumbers('kaimingUniform_', { a: options.a });
  const bound = Math.sqrt(3) * kaimingStd(weight, options);
  return uniform_(weight, -bound, bound, generatorOf(options));
}

/** Fills a weight with normal random numbers of standard deviation `gain * sqrt(2 / (fanIn + fanOut))`. Source: Glorot 2010. */
export function xavierNormal_(weight: Tensor, gain = 1, options: InitOptions = {}): Tensor {
  return normal_(weight, 0, xavierStd(weight, gain), options);
}

/** Fills a weight with uniform random numbers of standard deviation `gain * sqrt(2 / (fanIn + fanOut))`. Source: Glorot 2010. */
export function xavierUniform_(weight: Tensor, gain = 1, options: InitOptions = {}): Tensor {
  const bound = Math.sqrt(3) * xavierStd(weight, gain);
  return uniform_(weight, -bound, bound, options);
}

function generatorOf({ generator }: InitOptions): InitOptions {
  return generator ? { generator } : {};
}
