import { native } from '../internal/binding';
import type { PlanHandle, TensorHandle } from '../internal/native';
import { Tensor } from '../tensor/tensor';
import { fusedNumber } from './fused-callbacks';
import type { StateMap } from './state';
import type { Hyper, ParamState } from './types';

/** What one fused step works on. */
export interface FusedRun {
  readonly paramLists: readonly (readonly Tensor[])[];
  readonly hypers: readonly Hyper[];
  readonly states: StateMap;
  /** Groups before this one are frozen. */
  readonly frozenIdx: number;
}

/** Why a step is left to the callbacks when everything else fits: they make the state. */
export const noStateYet = 'a parameter has no state yet';

// The fields of `fastopt_hypers` and `fastopt_counters` in native/optim/fused/fused.h, in their order.
const hyperNames = [
  ...['lr', 'mom', 'sqr_mom', 'eps', 'wd', 'nu_1', 'nu_2', 'momentum_decay'],
  ...['grad_scale', 'slow_step'],
];
const ownHypers = 16;
const hyperCount = hyperNames.length + ownHypers;
const [stepAt, doWdAt, muProductAt, counterCount] = [0, 1, 2, 3];

function handleOf(value: unknown): TensorHandle | undefined {
  return value instanceof Tensor && !value.isDisposed ? Tensor.handleOf(value) : undefined;
}

/**
 * Steps all parameters of an optimizer in one native call. The states stay what callbacks make of them, ordinary objects and
 * tensors, so that any step may go either way.
 */
export class FusedEngine {
  readonly #numbers: readonly number[];
  readonly #countsSteps: boolean;
  readonly #countsMu: boolean;
  #params: readonly Tensor[] = [];
  #groups: readonly number[] = [];
  // What the plan was made of, to see what has been replaced.
  #states: ParamState[] = [];
  #gradAvgs: unknown[] = [];
  #sqrAvgs: unknown[] = [];
  #plan: PlanHandle | undefined;
  #counters = new Float64Array();
  #hypers = new Float64Array();
  #active = new Uint8Array();

  /** @param numbers the callbacks, by `fusedNumbers`. */
  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
    this.#countsSteps = numbers.includes(fusedNumber.stepStat);
    this.#countsMu = numbers.includes(fusedNumber.muProduct);
  }

  /** Steps every parameter that has a gradient and isn't frozen; or changes nothing, and returns why. */
  step(run: FusedRun): string | undefined {
    const changed = this.#read(run);
    if (changed || this.#plan === undefined) {
      const reason = this.#replan();
      if (reason !== undefined) return reason;
    }
    const unfit = this.#unusedAverage() ?? this.#readHypers(run.hypers);
    if (unfit !== undefined || this.#plan === undefined) return unfit;
    const reason = native.fusedStep(this.#plan, this.#hypers, this.#counters, this.#active);
    if (reason === undefined) this.#write();
    return reason;
  }

  dispose(): void {
    if (this.#plan !== undefined) native.fusedDispose(this.#plan);
    this.#plan = undefined;
    this.#states = [];
  }

  // Reads flags and counters; tells whether the plan was made of other tensors.
  #read({ paramLists, states, frozenIdx }: FusedRun): boolean {
    let changed = this.#setParams(paramLists);
    const [counters, active] = [this.#counters, this.#active];
    for (let i = 0; i < this.#params.length; i++) {
      const p = this.#params[i];
      if (p === undefined) continue;
      const state = states.get(p);
      const { grad_avg, sqr_avg, step, do_wd, mu_product } = state;
      if (grad_avg !== this.#gradAvgs[i] || sqr_avg !== this.#sqrAvgs[i]) changed = true;
      this.#states[i] = state;
      this.#gradAvgs[i] = grad_avg;
      this.#sqrAvgs[i] = sqr_avg;
      const at = i * counterCount;
      counters[at + stepAt] = typeof step === 'number' ? step : 0;
      counters[at + doWdAt] = do_wd === undefined || do_wd ? 1 : 0;
      counters[at + muProductAt] = typeof mu_product === 'number' ? mu_product : 1;
      active[i] = (this.#groups[i] ?? 0) >= frozenIdx || state.force_train ? 1 : 0;
    }
    return changed;
  }

  #setParams(paramLists: readonly (readonly Tensor[])[]): boolean {
    const count = paramLists.reduce((sum, group) => sum + group.length, 0);
    if (count === this.#params.length) return false; // groups are only ever added
    this.#params = paramLists.flat();
    this.#groups = paramLists.flatMap((group, i) => group.map(() => i));
    this.#counters = new Float64Array(count * counterCount);
    this.#active = new Uint8Array(count);
    this.#hypers = new Float64Array(paramLists.length * hyperCount);
    return true;
  }

  #replan(): string | undefined {
    if (this.#plan !== undefined) native.fusedDispose(this.#plan);
    const plan = native.fusedPlan(
      this.#numbers,
      this.#params.map((p) => Tensor.handleOf(p)),
      this.#gradAvgs.map(handleOf),
      this.#sqrAvgs.map(handleOf),
      this.#groups,
    );
    this.#plan = typeof plan === 'string' ? undefined : plan;
    return typeof plan === 'string' ? plan : undefined;
  }

  // `rmsPropStep` steps by whatever average is in the state, also one that was loaded and that no callback keeps up.
  #unusedAverage(): string | undefined {
    if (!this.#numbers.includes(fusedNumber.rmsPropStep)) return undefined;
    const found = this.#gradAvgs.some((average) => average !== undefined);
    return found ? 'a state has a grad_avg that no callback keeps up' : undefined;
  }

  #readHypers(hypers: readonly Hyper[]): string | undefined {
    for (let group = 0; group < hypers.length; group++) {
      const hyper = hypers[group] ?? {};
      if (hyper.beta) return 'beta is not 0';
      for (let i = 0; i < hyperNames.length; i++) {
        this.#hypers[group * hyperCount + i] = hyper[hyperNames[i] ?? ''] ?? 0;
      }
    }
    return undefined;
  }

  // Writes back what was counted; a parameter that never had a gradient has no count.
  #write(): void {
    const counters = this.#counters;
    for (let i = 0; i < this.#states.length; i++) {
      const state = this.#states[i];
      if (state === undefined || !this.#active[i]) continue;
      const step = counters[i * counterCount + stepAt] ?? 0;
      if (this.#countsSteps && step > 0) state.step = step;
      if (this.#countsMu && step > 0) state.mu_product = counters[i * counterCount + muProductAt];
    }
  }
}
