import type { StepExtras } from './extras';
import { fusedNumber } from './fused-callbacks';
import type { FusedPipeline } from './fused-pipeline';
import type { Hyper } from './types';

/** How many numbers `fastopt_hypers` in native/optim/fused/fused.h has. */
export const hyperCount = 26;
// Where some of them are.
const [gradScaleAt, slowStepAt, ownHypersAt] = [8, 9, 10];

/** Why a step needs the pipeline for a `beta`. */
export const betaIsSet = 'beta is not 0';

/** Writes the hyper-parameters of each group as the kernels take them; or tells why they can't. */
export function fillHypers(
  values: Float64Array,
  { numbers, ownHypers }: FusedPipeline,
  hypers: readonly Hyper[],
  { gradScale, average }: StepExtras,
): string | undefined {
  for (let group = 0; group < hypers.length; group++) {
    const { lr, mom, sqr_mom, eps, wd, nu_1, nu_2, momentum_decay, beta } = hypers[group] ?? {};
    if (beta && numbers.includes(fusedNumber.radamStep)) return betaIsSet;
    const at = group * hyperCount;
    values[at] = lr ?? 0;
    values[at + 1] = mom ?? 0;
    values[at + 2] = sqr_mom ?? 0;
    values[at + 3] = eps ?? 0;
    values[at + 4] = wd ?? 0;
    values[at + 5] = nu_1 ?? 0;
    values[at + 6] = nu_2 ?? 0;
    values[at + 7] = momentum_decay ?? 0;
    values[at + gradScaleAt] = gradScale;
    values[at + slowStepAt] = average?.share ?? 0;
    for (let i = 0; i < ownHypers.length; i++)
      values[at + ownHypersAt + i] = hypers[group]?.[ownHypers[i] ?? ''] ?? 0;
  }
  return undefined;
}
