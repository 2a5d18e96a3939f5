import type { Callbacks } from './typed';
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

/** A list of callbacks as the kernels take it. */
export interface FusedPipeline {
  /** Numbers of `enum fastopt_callback`, or 1000 + i for `programs[i]`. */
  readonly numbers: readonly number[];
  /** The nodes of each program, six doubles a node: code, a, b, c, index, value (`fastopt_node`). */
  readonly programs: readonly Float64Array[];
  /** The states that the kernels touch. */
  readonly states: readonly FusedState[];
  /** What a step would read if it were in the state, though no callback of the list keeps it up. */
  readonly unkept: readonly string[];
  /** The names of `fastopt_hypers.own`, in order. */
  readonly ownHypers: readonly string[];
}

/** One state that the kernels touch. */
export interface FusedState {
  readonly name: string;
  /** A number of `enum fastopt_array`. */
  readonly array: number;
  /** Whether it is one number for the whole parameter, in a tensor of one element. */
  readonly scalar: boolean;
  readonly written: boolean;
}

const gradAvg: FusedState = { name: 'grad_avg', array: 2, scalar: false, written: true };
const sqrAvg: FusedState = { name: 'sqr_avg', array: 3, scalar: false, written: true };

const touched = new Map<number, FusedState>([
  [fusedNumber.averageGrad, gradAvg],
  [fusedNumber.averageGradDampened, gradAvg],
  [fusedNumber.averageSqrGrad, sqrAvg],
  [fusedNumber.averageSqrGradDampened, sqrAvg],
  [fusedNumber.lionStep, gradAvg],
  [fusedNumber.lionAverage, gradAvg],
]);

/** Finds the kernels of callbacks, told by identity; or tells why these have none. */
export function fusedPipeline(cbs: Callbacks): FusedPipeline | string {
  const list = typeof cbs === 'function' ? [cbs] : cbs;
  const found: number[] = [];
  const states = new Set<FusedState>();
  for (const cb of list) {
    const number = numbers.get(cb);
    if (number === undefined) return `${cb.name || 'a function'} has no kernel`;
    const isOfAverage = number === fusedNumber.rmsPropStep && states.has(gradAvg);
    found.push(isOfAverage ? fusedNumber.rmsPropMomentumStep : number);
    const state = touched.get(number);
    if (state) states.add(state);
  }
  const unkept = found.includes(fusedNumber.rmsPropStep) ? [gradAvg.name] : [];
  return { numbers: found, programs: [], states: [...states], unkept, ownHypers: [] };
}
