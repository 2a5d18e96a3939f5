import { inspect } from 'node:util';
import { checkOptions } from '../internal/options';
import { ArgumentError } from '../internal/errors';
import * as ops from '../ops';
import type { Tensor } from '../tensor/tensor';

/** How the losses of single elements become one: their mean, their sum, or not at all. */
export type Reduction = 'none' | 'mean' | 'sum';

/** What every loss takes. */
export interface LossOptions {
  readonly reduction?: Reduction;
}

const reductions: readonly Reduction[] = ['none', 'mean', 'sum'];

// libtorch numbers them in this order.
function reductionOf(where: string, { reduction = 'mean' }: LossOptions): number {
  const number = reductions.indexOf(reduction);
  if (number < 0)
    throw new ArgumentError(
      `${where}: expected the reduction ${reductions.join(', ')}, got ${inspect(reduction, { depth: 0 })}`,
    );
  return number;
}

/** The options of `crossEntropy`. */
export interface CrossEntropyOptions extends LossOptions {
  /** One factor for each class, `[C]`. */
  readonly weight?: Tensor;
  /** Targets of this class count for nothing; -100 where it isn't given. */
  readonly ignoreIndex?: number;
  /** From 0 to 1: how much of the target goes to all classes alike. */
  readonly labelSmoothing?: number;
}

/**
 * Computes the cross entropy of scores (logits) against classes.
 *
 * @param input scores `[B, C]` or `[B, C, ...]`.
 * @param target classes as int64 `[B]` or `[B, ...]`, or probabilities of the shape of `input`.
 * @returns a scalar, or the losses of the shape of the classes with `reduction: 'none'`.
 * @example
 * ```ts
 * nn.crossEntropy(randn([4, 10]), tensor([1n, 0n, 9n, 3n])).item();
 * ```
 */
export function crossEntropy(
  input: Tensor,
  target: Tensor,
  options: CrossEntropyOptions = {},
): Tensor {
  checkOptions('crossEntropy', options, ['reduction', 'weight', 'ignoreIndex', 'labelSmoothing']);
  const { weight = null, ignoreIndex = -100, labelSmoothing = 0 } = options;
  return ops.crossEntropyLoss(
    input,
    target,
    weight,
    reductionOf('crossEntropy', options),
    ignoreIndex,
    labelSmoothing,
  );
}

/** Computes the negative log likelihood of log-probabilities `[B, C]` against classes `[B]`. */
export function nllLoss(
  input: Tensor,
  target: Tensor,
  options: Omit<CrossEntropyOptions, 'labelSmoothing'> = {},
): Tensor {
  checkOptions('nllLoss', options, ['reduction', 'weight', 'ignoreIndex']);
  const { weight = null, ignoreIndex = -100 } = options;
  return ops.nllLoss(input, target, weight, reductionOf('nllLoss', options), ignoreIndex);
}

/** Computes the squared difference. */
export function mseLoss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkOptions('mseLoss', options, ['reduction']);
  return ops.mseLoss(input, target, reductionOf('mseLoss', options));
}

/** Computes the absolute difference. */
export function l1Loss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkOptions('l1Loss', options, ['reduction']);
  return ops.l1Loss(input, target, reductionOf('l1Loss', options));
}

/** The options of `bceWithLogits`. */
export interface BceOptions extends LossOptions {
  readonly weight?: Tensor;
  /** One factor for the positive targets of each class. */
  readonly posWeight?: Tensor;
}

/** Computes the binary cross entropy of scores (logits) against targets from 0 to 1 of the same shape. */
export function bceWithLogits(input: Tensor, target: Tensor, options: BceOptions = {}): Tensor {
  checkOptions('bceWithLogits', options, ['reduction', 'weight', 'posWeight']);
  const { weight = null, posWeight = null } = options;
  return ops.binaryCrossEntropyWithLogits(
    input,
    target,
    weight,
    posWeight,
    reductionOf('bceWithLogits', options),
  );
}
