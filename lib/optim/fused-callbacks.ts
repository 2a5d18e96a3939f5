import {
  adamStep,
  averageGrad,
  averageSqrGrad,
  l2Reg,
  momentumStep,
  nadamStep,
  qhadamStep,
  radamStep,
  rmsPropStep,
  sgdStep,
  stepStat,
  weightDecay,
} from './callbacks';
import { lionAverage, lionStep, muProduct, torchNadamStep } from './newer-callbacks';
import type { AnyCallback } from './typed';

/** The fused kernels' numbers of callbacks. Source: `enum fastopt_callback` in `native/optim/fused/fused.h`. */
export const fusedNumber = {
  ...{ stepStat: 0, muProduct: 1, weightDecay: 3, l2Reg: 4 },
  ...{ averageGrad: 5, averageGradDampened: 6, averageSqrGrad: 7, averageSqrGradDampened: 8 },
  ...{ sgdStep: 9, momentumStep: 10, rmsPropStep: 11, rmsPropMomentumStep: 12 },
  ...{ adamStep: 13, nadamStep: 14, torchNadamStep: 15, radamStep: 16, qhadamStep: 17 },
  ...{ lionStep: 18, lionAverage: 19 },
} as const;

const numbers = new Map<unknown, number>([
  [stepStat, fusedNumber.stepStat],
  [muProduct, fusedNumber.muProduct],
  [weightDecay, fusedNumber.weightDecay],
  [l2Reg, fusedNumber.l2Reg],
  [averageGrad(), fusedNumber.averageGrad],
  [averageGrad({ dampening: true }), fusedNumber.averageGradDampened],
  [averageSqrGrad({ dampening: false }), fusedNumber.averageSqrGrad],
  [averageSqrGrad(), fusedNumber.averageSqrGradDampened],
  [sgdStep, fusedNumber.sgdStep],
  [momentumStep, fusedNumber.momentumStep],
  [rmsPropStep, fusedNumber.rmsPropStep],
  [adamStep, fusedNumber.adamStep],
  [nadamStep, fusedNumber.nadamStep],
  [torchNadamStep, fusedNumber.torchNadamStep],
  [radamStep, fusedNumber.radamStep],
  [qhadamStep, fusedNumber.qhadamStep],
  [lionStep, fusedNumber.lionStep],
  [lionAverage, fusedNumber.lionAverage],
]);

const { averageGrad: average, averageGradDampened, averageSqrGrad: averageSqr, ...n } = fusedNumber;
// Callbacks of one of these lists compute the same scalars (`enum Scalars` in native/optim/fused/element.h).
const sharedScalars: readonly (readonly number[])[] = [
  [average, averageGradDampened, n.lionStep],
  [averageSqr, n.averageSqrGradDampened, n.lionAverage],
  [
    ...[n.sgdStep, n.momentumStep, n.rmsPropStep, n.rmsPropMomentumStep, n.adamStep, n.nadamStep],
    ...[n.torchNadamStep, n.radamStep, n.qhadamStep, n.lionStep],
  ],
];

/** Tells whether one of two different kernels would step by the scalars of the other. */
export function shareScalars(a: number, b: number): boolean {
  return a !== b && sharedScalars.some((list) => list.includes(a) && list.includes(b));
}

/** The number of a callback, told by identity, where there is a kernel for it and `made` is the state of the list. */
export function fusedNumberOf(
  cb: AnyCallback,
  made: ReadonlySet<string>,
  beta: boolean,
): number | undefined {
  if (cb === radamStep && beta) return undefined;
  if (cb === rmsPropStep && made.has('grad_avg')) return fusedNumber.rmsPropMomentumStep;
  if (cb === lionStep && !made.has('grad_avg')) return undefined;
  return numbers.get(cb);
}
