import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { zeroAll } from './norms';
import type { StepOptions } from './options';
import { stateDtype } from './state';

/** What a step does to all parameters besides its callbacks, frozen or not: first scale, at the end average, then zero. */
export interface StepExtras {
  /** What gradients are multiplied by; 1 leaves them as they are. */
  readonly gradScale: number;
  readonly zeroGrad: boolean;
  readonly average: WeightAverage | undefined;
}

/** Weights that follow those of an optimizer: `weight += share * (p - weight)`. */
export interface WeightAverage {
  /** One for each parameter, in the order of the groups. */
  readonly weights: readonly Tensor[];
  /** How far they go towards the parameters, from 0 to 1. */
  readonly share: number;
  /** Whether the parameters then go where they are. */
  readonly restore: boolean;
}

/** Averaged weights that follow the parameters of an optimizer at each of its steps. */
export interface Follower {
  /** Gives what the next step is to do. */
  next(): WeightAverage;
  /** Hears that the step did it. */
  arrive(): void;
  /** Does the same apart from a step. */
  update(): void;
}

/** Nothing but the callbacks. */
export const noExtras: StepExtras = Object.freeze({
  gradScale: 1,
  zeroGrad: false,
  average: undefined,
});

const hints = {
  zero_grad: 'zeroGrad',
  grad_scale: 'gradScale',
  scale: 'gradScale',
  maxNorm: 'clipNorm',
  max_norm: 'clipNorm',
  gradClip: 'clipNorm',
};

/** Refuses unknown options of `step`, and values that make no sense. */
export function checkStepOptions(options: StepOptions): void {
  checkOptions('step', options, ['zeroGrad', 'gradScale', 'clipNorm'], hints);
  const { zeroGrad = false, gradScale = 1, clipNorm = 0 } = options;
  if (typeof zeroGrad !== 'boolean') {
    throw new ArgumentError(
      `step: expected zeroGrad to be true or false, got ${inspect(zeroGrad, { depth: 0 })}`,
    );
  }
  if (typeof gradScale !== 'number' || Number.isNaN(gradScale)) {
    throw new ArgumentError(
      `step: expected gradScale to be a number, got ${inspect(gradScale, { depth: 0 })}`,
    );
  }
  if (typeof clipNorm !== 'number' || !(clipNorm >= 0)) {
    throw new ArgumentError(
      `step: expected clipNorm of at least 0, got ${inspect(clipNorm, { depth: 0 })}`,
    );
  }
}

/** Returns what brings gradients of a norm down to `maxNorm`, as `clipGradNorm` does; 1 for smaller ones. */
export function clipScale(norm: number, maxNorm: number): number {
  const scale = maxNorm / (norm + 1e-6);
  return scale > 1 ? 1 : scale; // NaN stays NaN, so that it is seen in the weights
}

/** Multiplies all gradients in place. An operator rounds the factor to half precision where the gradient is. */
export function scaleGrads(params: readonly Tensor[], scale: number): void {
  if (scale === 1) return;
  for (const { grad } of params) {
    if (grad === null) continue;
    const dtype = stateDtype(grad);
    if (grad.dtype === dtype) grad.mul_(scale);
    else tidy(() => grad.copy_(grad.to({ dtype }).mul_(scale)));
  }
}

/** Takes a scale back to rounding; from 0 and from infinity there is no way back. */
export function unscaleGrads(params: readonly Tensor[], scale: number): void {
  const back = 1 / scale;
  if (back !== 0 && Number.isFinite(back)) scaleGrads(params, back);
}

/** Fills all gradients with zeros in place, and detaches them from any graph. */
export function zeroGrads(params: readonly Tensor[]): void {
  const grads = params.flatMap((p) => p.grad ?? []);
  for (const grad of grads) if (grad.requiresGrad) grad.detach_();
  zeroAll(grads);
}

/** Moves averaged weights towards the parameters, in the average's own dtype. */
export function averageWeights(
  params: readonly Tensor[],
  { weights, share, restore }: WeightAverage,
): void {
  for (let i = 0; i < params.length; i++) {
    const [p, weight] = [params[i], weights[i]];
    if (p === undefined || weight === undefined) continue;
    tidy(() => {
      weight.add_(p.sub(weight), { alpha: share });
      if (restore) p.copy_(weight);
    });
  }
}
