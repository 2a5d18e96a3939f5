import { native } from '../internal/binding';
import type { PlanHandle, TensorHandle } from '../internal/native';
import { Tensor } from '../tensor/tensor';
import { fusedNumber, type FusedPipeline } from './fused-callbacks';
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
const hyperCount = hyperNames.length + 16;
const [stepAt, doWdAt, muProductAt, counterCount] = [0, 1, 2, 3];

function handleOf(value: unknown): TensorHandle | undefined {
  return value instanceof Tensor && !value.isDisposed ? Tensor.handleOf(value) : undefined;
}

/**
 * Steps all parameters of an optimizer in one native call. The states stay what callbacks make of them, ordinary objects and
 * tensors, so that any step may go either way.
 */
export class FusedEngine {
  readonly #pipeline: FusedPipeline;
  readonly #hyperNames: readonly string[];
  readonly #countsSteps: boolean;
  readonly #countsMu: boolean;
  #params: readonly Tensor[] = [];
  #groups: readonly number[] = [];
  #states: ParamState[] = [];
  // All states of the first parameter, then those of the second: what the plan was made of, to see what has been replaced.
  #tensors: unknown[] = [];
  #plan: PlanHandle | undefined;
  #counters = new Float64Array();
  #hypers = new Float64Array();
  #active = new Uint8Array();

  constructor(pipeline: FusedPipeline) {
    const { numbers, ownHypers } = pipeline;
    this.#pipeline = pipeline;
    this.#hyperNames = [...hyperNames, ...ownHypers];
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
    const unfit = this.#unkept() ?? this.#readHypers(run.hypers);
    if (unfit !== undefined || this.#plan === undefined) return unfit;
    const reason = native.fusedStep(this.#plan, this.#hypers, this.#counters, this.#active);
    if (reason === undefined) this.#write();
    return reason;
  }

  dispose(): void {
    if (this.#plan !== undefined) native.fusedDispose(this.#plan);
    this.#plan = undefined;
    this.#states = [];
    this.#tensors = [];
  }

  // Reads flags and counters; tells whether the plan was made of other tensors.
  #read({ paramLists, states, frozenIdx }: FusedRun): boolean {
    let changed = this.#setParams(paramLists);
    const { states: touched } = this.#pipeline;
    const [counters, active] = [this.#counters, this.#active];
    for (let i = 0; i < this.#params.length; i++) {
      const p = this.#params[i];
      if (p === undefined) continue;
      const state = states.get(p);
      this.#states[i] = state;
      for (let k = 0; k < touched.length; k++) {
        const value = state[touched[k]?.name ?? ''];
        const known = i * touched.length + k;
        if (value === this.#tensors[known]) continue;
        this.#tensors[known] = value;
        changed = true;
      }
      const { step, do_wd, mu_product } = state;
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
    const { numbers, programs, states } = this.#pipeline;
    const count = this.#params.length * states.length;
    const plan = native.fusedPlan(
      numbers,
      programs,
      states.flatMap(({ array, scalar, written }) => [array, Number(scalar), Number(written)]),
      this.#params.map((p) => Tensor.handleOf(p)),
      Array.from({ length: count }, (_, i) => handleOf(this.#tensors[i])),
      this.#groups,
    );
    this.#plan = typeof plan === 'string' ? undefined : plan;
    return typeof plan === 'string' ? plan : undefined;
  }

  // A step may read an average that was loaded and that no callback keeps up: `rmsPropStep` does.
  #unkept(): string | undefined {
    const name = this.#pipeline.unkept.find((key) =>
      this.#states.some((state) => state[key] !== undefined),
    );
    return name && `a state has a ${name} that no callback keeps up`;
  }

  #readHypers(hypers: readonly Hyper[]): string | undefined {
    const names = this.#hyperNames;
    for (let group = 0; group < hypers.length; group++) {
      const hyper = hypers[group] ?? {};
      if (hyper.beta && this.#pipeline.numbers.includes(fusedNumber.radamStep))
        return 'beta is not 0';
      for (let i = 0; i < names.length; i++) {
        this.#hypers[group * hyperCount + i] = hyper[names[i] ?? ''] ?? 0;
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
