import { noGrad } from '../tensor/autograd';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { checkStepOptions, clipScale, type StepExtras } from './extras';
import { gradientsOnGpu, scaleAndLimit, type LateNumber } from './norms';
import type { StepOptions } from './options';

/**
 * Reads the options of a step, and measures the gradients where they ask for it. On a GPU, where the program would wait for the
 * norm, it limits them at once.
 *
 * @param lastNorm takes the norm.
 * @param measure returns it, as it is before `gradScale`.
 */
export function extrasFor(
  options: StepOptions,
  params: readonly Tensor[],
  lastNorm: LateNumber,
  measure: () => number,
): StepExtras {
  checkStepOptions(options);
  const { zeroGrad = false, gradScale = 1, clipNorm } = options;
  if (clipNorm === undefined) return { gradScale, zeroGrad, average: undefined };
  const grads = gradientsOnGpu(params);
  if (grads) {
    lastNorm.value = noGrad(() => tidy(() => scaleAndLimit(grads, gradScale, clipNorm)));
    return { gradScale: 1, zeroGrad, average: undefined };
  }
  const norm = measure() * Math.abs(gradScale);
  lastNorm.value = norm;
  return { gradScale: gradScale * clipScale(norm, clipNorm), zeroGrad, average: undefined };
}
