import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { noGrad } from '../tensor/autograd';
import { tidy } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';
import { isIterable } from './iterable';
import { limitOf, scaleAll, totalNorm } from './norms';
import { Optimizer } from './optimizer';

/** Whose gradients to clip: an optimizer's, or those of some tensors. */
export type ClipTarget = Optimizer | Tensor | Iterable<Tensor>;

/** The options of `clipGradNorm`. */
export interface ClipGradNormOptions {
  /** Which norm: 2 where it isn't given, 1, any other positive number, or `Infinity` for the largest gradient. */
  readonly normType?: number;
  /** Refuses a norm that is infinite or no number, before anything is changed. */
  readonly errorIfNonfinite?: boolean;
}

function gradientsOf(where: string, target: ClipTarget): Tensor[] {
  const params: unknown[] =
    target instanceof Optimizer
      ? target.paramLists.flat()
      : target instanceof Tensor
        ? [target]
        : isIterable(target)
          ? [...target]
          : [target];
  return params.flatMap((p) => {
    if (p instanceof Tensor) return p.grad ?? [];
    throw new ArgumentError(
      `${where}: expected an optimizer or tensors, got ${inspect(p, { depth: 0 })}`,
    );
  });
}

function checkLimit(where: string, name: string, value: unknown): void {
  if (typeof value === 'number' && value >= 0) return;
  throw new ArgumentError(`${where}: expected ${name} of at least 0, got ${inspect(value)}`);
}

/**
 * Scales all gradients down together, in place, when their norm is more than `maxNorm`: by `maxNorm / (norm + 1e-6)`.
 *
 * Source: PyTorch's `clip_grad_norm_`.
 * @param target an optimizer, a tensor or tensors; those without a gradient are left out.
 * @param maxNorm at least 0.
 * @returns the norm that all gradients taken together had before.
 * @throws ArgumentError when the norm is not finite and `errorIfNonfinite` is set.
 * @example
 * ```ts
 * loss.backward();
 * clipGradNorm(opt, 1);
 * opt.step();
 * ```
 */
export function clipGradNorm(
  target: ClipTarget,
  maxNorm: number,
  options: ClipGradNormOptions = {},
): number {
  checkOptions('clipGradNorm', options, ['normType', 'errorIfNonfinite']);
  const { normType = 2, errorIfNonfinite = false } = options;
  checkLimit('clipGradNorm', 'maxNorm', maxNorm);
  if (typeof normType !== 'number' || !(normType > 0)) {
    throw new ArgumentError(
      `clipGradNorm: expected normType above 0, got ${inspect(normType)}; Infinity for the largest gradient`,
    );
  }
  const grads = gradientsOf('clipGradNorm', target);
  const [first, ...rest] = grads;
  if (first === undefined) return 0;
  return noGrad(() =>
    tidy(() => {
      const total = totalNorm([first, ...rest], normType);
      const norm = total.item();
      if (errorIfNonfinite && !Number.isFinite(norm)) {
        throw new ArgumentError(
          `clipGradNorm: expected finite gradients, got a norm of ${norm}; look for a division by 0 or a learning rate that is too high`,
        );
      }
      scaleAll(grads, limitOf(total, maxNorm));
      return norm;
    }),
  );
}

/**
 * Limits every number of every gradient to the range from `-maxValue` to `maxValue`, in place.
 *
 * Source: PyTorch's `clip_grad_value_`.
 * @param target an optimizer, a tensor or tensors; those without a gradient are left out.
 * @param maxValue at least 0.
 */
export function clipGradValue(target: ClipTarget, maxValue: number): void {
  checkLimit('clipGradValue', 'maxValue', maxValue);
  const grads = gradientsOf('clipGradValue', target);
  noGrad(() => {
    for (const grad of grads) grad.clamp_(-maxValue, maxValue);
  });
}
