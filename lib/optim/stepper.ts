import { ArgumentError } from '../internal/errors';
import { noGrad } from '../tensor/autograd';
import { Scope } from '../tensor/scope';
import { checkTensor, type Tensor } from '../tensor/tensor';
import { isDeclared } from './callback';
import { CapturedStep, type CaptureOptions } from './captured-step';
import {
  averageWeights,
  noExtras,
  scaleGrads,
  unscaleGrads,
  zeroGrads,
  type StepExtras,
} from './extras';
import { FusedEngine, noStateYet, type FusedRun } from './fused';
import { betaIsSet } from './fused-hypers';
import { fusedPipeline, numberStates } from './fused-pipeline';
import type { StateStorage } from './narrow-state';
import type { Fused, StateDtype } from './options';
import { checkGradients, runCallbacks } from './run';
import type { AnyCallback } from './typed';
import type { Callback } from './types';

const noStepYet = 'there was no step yet';

/** Takes the steps of an optimizer: by the fused kernels where they know its callbacks and tensors, else by the callbacks. */
export class Stepper {
  readonly #fused: Fused;
  #storage: StateStorage;
  readonly #scope = new Scope();
  #cbs: readonly AnyCallback[] = [];
  #bodies: readonly Callback[] = [];
  #watched: readonly Callback[] | undefined;
  #engine: FusedEngine | undefined;
  // Of the step under way, or of the last one.
  #extras = noExtras;
  // Why the last step with a GradScaler waited; empty where it didn't.
  #waited: string | undefined;
  /** Why the callbacks run. */
  #reason = noStepYet;

  constructor({ fused, stateDtype }: { fused: Fused; stateDtype: StateDtype }) {
    this.#fused = fused;
    this.#storage = { dtype: stateDtype, numbers: new Set() };
  }

  /**
   * Takes other callbacks.
   *
   * @throws ArgumentError when `fused` is true and one has no kernel.
   */
  setCallbacks(cbs: readonly AnyCallback[]): void {
    this.#cbs = [...cbs];
    this.#bodies = cbs.map((cb) => (isDeclared(cb) ? cb.body : cb));
    this.#storage = { ...this.#storage, numbers: numberStates(cbs) };
    this.#findKernels(false);
  }

  #findKernels(beta: boolean): void {
    const pipeline = this.#fused === false ? 'fused is false' : fusedPipeline(this.#cbs, beta);
    if (typeof pipeline === 'string') this.#leaveToCallbacks(pipeline);
    this.release();
    this.#engine =
      typeof pipeline === 'string' ? undefined : new FusedEngine(pipeline, this.#storage.dtype);
  }

  /** Takes one step; the tensors that callbacks make on the way are freed. */
  step(run: FusedRun, extras: StepExtras): void {
    this.#extras = extras;
    if (this.#watched) {
      this.#stepBy(this.#watched, run);
      return;
    }
    let reason = this.#stepFused(run);
    if (reason === betaIsSet) {
      this.#findKernels(true); // they take any beta
      reason = this.#stepFused(run);
    }
    if (reason === undefined) this.#reason = '';
    else {
      this.#leaveToCallbacks(reason);
      this.#stepBy(this.#bodies, run);
    }
  }

  #stepFused(run: FusedRun): string | undefined {
    return this.#engine ? this.#engine.step(run, this.#extras) : this.#reason;
  }

  /** Returns the norm of all gradients taken together, where the kernels can tell. */
  gradNorm(run: FusedRun): number | undefined {
    return this.#engine?.gradNorm(run);
  }

  /** Runs `work`, whose steps go by `watch`'s callbacks in place of these. */
  watched(watch: (bodies: readonly Callback[]) => readonly Callback[], work: () => void): void {
    this.#watched = watch(this.#bodies);
    try {
      work();
    } finally {
      this.#watched = undefined;
    }
  }

  /**
   * Takes one step that the device leaves out where the number `skip` there isn't 0; or changes nothing where it can't decide by
   * itself, such as for `reason`.
   *
   * @returns whether it did.
   */
  stepUnless(skip: Tensor, run: FusedRun, reason: string | undefined): boolean {
    checkTensor('Optimizer.stepUnless', skip);
    this.#waited = reason ?? this.#stepHeld(skip, run) ?? '';
    if (this.#waited !== '') return false;
    [this.#extras, this.#reason] = [noExtras, ''];
    return true;
  }

  #stepHeld(skip: Tensor, run: FusedRun): string | undefined {
    return this.#engine
      ? this.#engine.stepHeld(run, noExtras, skip)
      : `the callbacks run, as ${this.#reason}`;
  }

  /** Prepares the step for CUDA graphs, or tells why it can't be in one; undefined where only further steps will show. */
  capture(
    run: () => FusedRun,
    options: CaptureOptions,
    whyNot: () => string | undefined,
  ): CapturedStep | string | undefined {
    const engine = this.#engine;
    if (this.#reason === noStepYet || this.#reason === noStateYet) return undefined;
    if (engine === undefined || this.#reason !== '')
      return `the optimizer's callbacks run, as ${this.#reason}`;
    const changed = (): string | undefined =>
      engine === this.#engine ? whyNot() : 'the callbacks of the optimizer have changed';
    return new CapturedStep({ engine, run, whyNot: changed }, options);
  }

  #stepBy(bodies: readonly Callback[], run: FusedRun): void {
    const scope = this.#scope;
    const { gradScale, average, zeroGrad } = this.#extras;
    const params = this.#extras === noExtras ? [] : run.paramLists.flat();
    try {
      noGrad(() => {
        checkGradients(run);
        scaleGrads(params, gradScale);
        try {
          scope.run(() => {
            runCallbacks({ ...run, bodies, scope, storage: this.#storage });
          });
        } catch (error) {
          unscaleGrads(params, gradScale); // so that who mends the callback may call the step once more
          throw error;
        }
        if (average) averageWeights(params, average);
        if (zeroGrad) zeroGrads(params);
      });
    } finally {
      scope.dispose();
    }
  }

  /** Tells which way the last step went, and why. */
  explain(cbs: readonly AnyCallback[], count: number): string {
    const names = cbs.map((cb) => cb.name || 'a function').join(', ');
    if (this.#reason === '') {
      const done = [names, ...extraNames(this.#extras)].join(', ');
      const passes = this.#engine?.passes ?? 1;
      return `step() does ${done} in ${passes === 1 ? 'one pass' : `${passes} passes`} over ${count} parameters${this.explainScaled()}`;
    }
    return `step() calls ${names} for each of ${count} parameters, as ${this.#reason}${this.explainScaled()}`;
  }

  /** Tells whether the last step with a GradScaler waited, if there was one. */
  explainScaled(): string {
    if (this.#waited === undefined) return '';
    return this.#waited === ''
      ? '; with a GradScaler, the device leaves out a step whose gradients overflowed'
      : `; with a GradScaler, it waits for the device, as ${this.#waited}`;
  }

  /** Lets go of the tensors of the plan; the next step makes another. */
  release(): void {
    this.#engine?.dispose();
  }

  #leaveToCallbacks(reason: string): void {
    this.#reason = reason;
    if (this.#fused !== true || reason === noStateYet) return; // callbacks make the state
    throw new ArgumentError(
      `Optimizer: fused: true: ${reason}; pass 'auto' to go by the callbacks then`,
    );
  }
}

function extraNames({ gradScale, average, zeroGrad }: StepExtras): string[] {
  return [
    ...(gradScale === 1 ? [] : ['gradScale']),
    ...(average ? ['an average of the weights'] : []),
    ...(zeroGrad ? ['zeroGrad'] : []),
  ];
}
