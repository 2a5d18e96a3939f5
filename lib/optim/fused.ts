import { native } from '../internal/binding';
import { TorchError } from '../internal/errors';
import type { PlanHandle, TensorHandle } from '../internal/native';
import { Tensor } from '../tensor/tensor';
import type { StepExtras, WeightAverage } from './extras';
import { fusedNumber } from './fused-callbacks';
import { fillHypers, hyperCount } from './fused-hypers';
import type { FusedPipeline, FusedState } from './fused-pipeline';
import { HeldCounters } from './held-counters';
import type { StateDtype } from './options';
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

// How many numbers `fastopt_counters` in native/optim/fused/fused.h has: step, do_wd, mu_product.
const counterCount = 3;
const averageKeys = ['grad_avg', 'sqr_avg'];

// The averaged weights are the kernels' array `slow`.
const slowState: FusedState = { name: 'slow', array: 4, scalar: false, written: true };

// Bits of `Extra` in native/optim/fused_plan.h.
function bitsOf({ gradScale, zeroGrad, average }: StepExtras): number {
  const averaging = average ? 2 + (average.restore ? 4 : 0) : 0;
  return (gradScale === 1 ? 0 : 1) + averaging + (zeroGrad ? 8 : 0);
}

function countOf(paramLists: readonly (readonly Tensor[])[]): number {
  let count = 0;
  for (let i = 0; i < paramLists.length; i++) count += paramLists[i]?.length ?? 0;
  return count;
}

function handleOf(value: unknown): TensorHandle | undefined {
  return value instanceof Tensor && !value.isDisposed ? Tensor.handleOf(value) : undefined;
}

function sameItems(a: readonly Tensor[], b: readonly Tensor[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

/**
 * Steps all parameters of an optimizer in one native call. The states stay what callbacks make of them, ordinary objects and
 * tensors, so that any step may go either way.
 */
export class FusedEngine {
  readonly #pipeline: FusedPipeline;
  readonly #stateDtype: StateDtype;
  // The keys of the state to watch besides the two averages, which are read by name: that is quicker.
  readonly #otherKeys: readonly string[];
  readonly #countsSteps: boolean;
  readonly #countsMu: boolean;
  #params: readonly Tensor[] = [];
  #groups: readonly number[] = [];
  #states: ParamState[] = [];
  #changesSeen = -1;
  #disposalsSeen = -1;
  // What the plan was made of, to see what has been replaced: the averages and the other keys, parameter by parameter.
  #values: unknown[] = [];
  #averaged: readonly Tensor[] = [];
  #plan: PlanHandle | undefined;
  // The plan for other averaged weights: those of a Lookahead and of an EMA take turns.
  #spare: { plan: PlanHandle; averaged: readonly Tensor[] } | undefined;
  // While the device counts, steps of one kind of extras.
  #held: HeldCounters | undefined;
  #heldBits = 0;
  #counters = new Float64Array();
  #hypers = new Float64Array();
  #active = new Uint8Array();
  #passes = 0;

  constructor(pipeline: FusedPipeline, stateDtype: StateDtype = 'float32') {
    const { numbers, states, unkept } = pipeline;
    this.#pipeline = pipeline;
    this.#stateDtype = stateDtype;
    this.#otherKeys = [...states.map(({ name }) => name), ...unkept].filter(
      (key) => !averageKeys.includes(key),
    );
    this.#countsSteps = numbers.includes(fusedNumber.stepStat);
    this.#countsMu = numbers.includes(fusedNumber.muProduct);
  }

  /** How often a step passes over memory. */
  get passes(): number {
    return this.#passes;
  }

  /** Steps every parameter that has a gradient and isn't frozen; or changes nothing, and returns why. */
  step(run: FusedRun, extras: StepExtras): string | undefined {
    this.release();
    const unfit = this.#prepare(run, extras);
    if (unfit !== undefined || this.#plan === undefined) return unfit;
    const reason = this.#step(this.#plan, extras, undefined);
    if (reason === undefined) this.#write();
    return reason;
  }

  // Reads all that a step depends on, and makes a plan where there is none that fits.
  #prepare(run: FusedRun, extras: StepExtras): string | undefined {
    this.#setParams(run);
    if (this.#read(run.frozenIdx) || this.#someDisposed()) this.#dropPlans();
    this.#takeAverage(extras.average);
    if (this.#plan === undefined) {
      const reason = this.#makePlan();
      if (reason !== undefined) return reason;
    }
    return fillHypers(this.#hypers, this.#pipeline, run.hypers, extras);
  }

  #step(plan: PlanHandle, extras: StepExtras, skip: Tensor | undefined): string | undefined {
    const [hypers, counters, active] = [this.#hypers, this.#counters, this.#active];
    return native.fusedStep(plan, hypers, counters, active, bitsOf(extras), handleOf(skip));
  }

  // ---- Steps that the device counts ----

  /** Gives the counts to the device, which counts steps from now on; or tells why it can't. */
  hold(run: FusedRun, extras: StepExtras): string | undefined {
    this.release();
    const unfit = this.#prepare(run, extras);
    const plan = this.#plan;
    if (unfit !== undefined || plan === undefined) return unfit;
    const counters = this.#counters;
    const reason = native.fusedHold(plan, bitsOf(extras), counters);
    if (reason !== undefined) return reason;
    this.#heldBits = bitsOf(extras);
    this.#held = new HeldCounters(this.#states, {
      counters,
      read: () => this.#readCounters(plan, false),
      end: () => this.release(),
    });
    return undefined;
  }

  /**
   * Takes a step that the device counts, but where the number `skip` there isn't 0: then it does nothing. Or changes nothing, and
   * tells why. After `hold`, a graph may record it.
   */
  stepHeld(run: FusedRun, extras: StepExtras, skip: Tensor | undefined): string | undefined {
    const unheld = this.#isAsHeld(run, extras) ? undefined : this.hold(run, extras);
    const unfit = unheld ?? fillHypers(this.#hypers, this.#pipeline, run.hypers, extras);
    if (unfit !== undefined || this.#plan === undefined) return unfit;
    const reason = this.#step(this.#plan, extras, skip);
    if (reason === undefined) this.advance();
    return reason;
  }

  /** Hears that a graph recorded the step. */
  noteRecorded(): void {
    if (this.#plan !== undefined) native.fusedNoteRecorded(this.#plan);
  }

  /** Writes what the graph reads, before a replay of the recorded step; or tells why it would be another one. */
  prepareReplay(run: FusedRun, extras: StepExtras): string | undefined {
    const plan = this.#plan;
    const unheld = this.#isAsHeld(run, extras) ? undefined : this.hold(run, extras);
    if (unheld !== undefined) return unheld;
    if (plan === undefined || plan !== this.#plan) return 'a state of the optimizer has changed';
    return (
      fillHypers(this.#hypers, this.#pipeline, run.hypers, extras) ??
      native.fusedPrepareReplay(plan, this.#hypers, this.#active)
    );
  }

  /** Hears of a replay. */
  advance(): void {
    this.#held?.advance();
  }

  /** Takes the counts back, where the device has them, and waits for it. */
  release(): void {
    const [held, plan] = [this.#held, this.#plan];
    this.#held = undefined;
    if (held === undefined || plan === undefined) return;
    this.#readCounters(plan, true);
    held.restore();
  }

  #readCounters(plan: PlanHandle, forGood: boolean): void {
    const reason = native.fusedReadCounters(plan, this.#counters, forGood);
    if (reason !== undefined)
      throw new TorchError(`Optimizer: the steps that the GPU counted can't be read: ${reason}`);
  }

  // Whether flags and states are those that the device was given, for steps of this kind.
  #isAsHeld({ paramLists, states, frozenIdx }: FusedRun, extras: StepExtras): boolean {
    if (!this.#held?.isWhole || this.#heldBits !== bitsOf(extras)) return false;
    if (states.changes !== this.#changesSeen) return false;
    if (countOf(paramLists) !== this.#params.length) return false;
    if (!this.#read(frozenIdx) && !this.#someDisposed()) return true;
    this.release();
    this.#dropPlans();
    return false;
  }

  /** Returns the norm of all gradients taken together; undefined where there is no plan yet, or they differ in kind. */
  gradNorm(run: FusedRun): number | undefined {
    this.#setParams(run);
    return this.#plan && native.fusedGradNorm(this.#plan);
  }

  dispose(): void {
    this.release();
    this.#dropPlans();
    this.#states = [];
    this.#values = [];
    this.#averaged = [];
    this.#changesSeen = -1;
  }

  #dropPlans(): void {
    for (const plan of [this.#plan, this.#spare?.plan])
      if (plan !== undefined) native.fusedDispose(plan);
    this.#plan = this.#spare = undefined;
  }

  // Takes the plan with these averaged weights, where there is one; a step without them leaves it as it is.
  #takeAverage(average: WeightAverage | undefined): void {
    if (average === undefined) return;
    const { weights } = average;
    if (sameItems(weights, this.#averaged)) return;
    const [plan, spare] = [this.#plan, this.#spare];
    const fits = spare !== undefined && sameItems(weights, spare.averaged);
    if (spare && !fits) native.fusedDispose(spare.plan);
    this.#spare = plan && { plan, averaged: this.#averaged };
    this.#plan = fits ? spare.plan : undefined;
    this.#averaged = [...weights];
  }

  #setParams({ paramLists, states }: FusedRun): void {
    const count = countOf(paramLists);
    if (count !== this.#params.length) {
      this.dispose(); // groups are only ever added
      this.#params = paramLists.flat();
      this.#groups = paramLists.flatMap((group, i) => group.map(() => i));
      this.#counters = new Float64Array(count * counterCount);
      this.#active = new Uint8Array(count);
      this.#hypers = new Float64Array(paramLists.length * hyperCount);
    }
    if (states.changes === this.#changesSeen) return;
    this.release();
    this.#states = this.#params.map((p) => states.get(p));
    this.#changesSeen = states.changes;
  }

  // Reads flags and counters; tells whether the plan was made of other tensors. Where the device counts, it reads no counters,
  // which would wait, and tells also of other flags.
  #read(frozenIdx: number): boolean {
    let changed = false;
    const isHeld = this.#held !== undefined;
    const [states, values, groups, otherKeys] = [
      this.#states,
      this.#values,
      this.#groups,
      this.#otherKeys,
    ];
    const [counters, active] = [this.#counters, this.#active];
    let known = 0;
    let at = 0;
    for (let i = 0; i < states.length; i++) {
      const state = states[i];
      if (state === undefined) continue;
      const { grad_avg, sqr_avg, do_wd } = state;
      if (grad_avg !== values[known] || sqr_avg !== values[known + 1]) {
        values[known] = grad_avg;
        values[known + 1] = sqr_avg;
        changed = true;
      }
      known += 2;
      for (let k = 0; k < otherKeys.length; k++) {
        const value = state[otherKeys[k] ?? ''];
        if (value !== values[known]) {
          values[known] = value;
          changed = true;
        }
        known += 1;
      }
      const decays = do_wd === undefined || do_wd ? 1 : 0;
      if (isHeld) changed ||= counters[at + 1] !== decays;
      else {
        const { step, mu_product } = state;
        counters[at] = typeof step === 'number' ? step : 0;
        counters[at + 1] = decays;
        counters[at + 2] = typeof mu_product === 'number' ? mu_product : 1;
      }
      at += counterCount;
      active[i] = (groups[i] ?? 0) >= frozenIdx || state.force_train ? 1 : 0;
    }
    return changed;
  }

  #someDisposed(): boolean {
    if (Tensor.disposals === this.#disposalsSeen) return false;
    this.#disposalsSeen = Tensor.disposals;
    const isGone = (each: Tensor): boolean => each.isDisposed;
    return (
      this.#params.some(isGone) ||
      this.#values.some((value) => value instanceof Tensor && value.isDisposed) ||
      this.#averaged.some(isGone) ||
      (this.#spare?.averaged.some(isGone) ?? false)
    );
  }

  #makePlan(): string | undefined {
    const { numbers, programs, states, unkept } = this.#pipeline;
    const found = unkept.find((key) => this.#states.some((state) => state[key] !== undefined));
    if (found !== undefined) return `a state has a ${found} that no callback keeps up`;
    if (this.#params.some((p) => p.isDisposed)) return 'a parameter has been disposed';
    const averaged = this.#averaged.map(handleOf);
    const averages = averaged.length > 0;
    if (averages && states.some(({ array }) => array === slowState.array))
      return 'a callback and an average have slow weights';
    const all = averages ? [...states, slowState] : states;
    const plan = native.fusedPlan(
      numbers,
      programs,
      all.flatMap(({ array, scalar, written }) => [array, Number(scalar), Number(written)]),
      this.#params.map((p) => Tensor.handleOf(p)),
      this.#states.flatMap((state, i) => [
        ...states.map(({ name }) => handleOf(state[name])),
        ...(averages ? [averaged[i]] : []),
      ]),
      this.#groups,
      averages,
      this.#stateDtype === 'bfloat16',
    );
    if (typeof plan === 'string') return plan;
    this.#plan = plan;
    this.#passes = native.fusedPasses(plan);
    return undefined;
  }

  // Writes back what was counted; a parameter that never had a gradient has no count.
  #write(): void {
    if (!this.#countsSteps) return;
    const [states, counters, active] = [this.#states, this.#counters, this.#active];
    let at = 0;
    for (let i = 0; i < states.length; i++, at += counterCount) {
      const state = states[i];
      const step = counters[at] ?? 0;
      if (state === undefined || !active[i] || step === 0) continue;
      // As V8 stores integers: numbers of float64 would each lie in memory of their own.
      const whole = step | 0;
      state.step = whole === step ? whole : step;
      if (this.#countsMu) state.mu_product = counters[at + 2];
    }
  }
}
