/** Which way a step goes: `false` always by the callbacks, `'auto'` by a fused kernel where there is one. */
export type Fused = 'auto' | boolean;

/** The options of `new Optimizer`. */
export interface OptimizerOptions {
  /** `'auto'` where it isn't given. */
  readonly fused?: Fused;
}

/** The options of `Optimizer.step`; what they ask for is done to all parameters, frozen ones as well. */
export interface StepOptions {
  /** Fills every gradient with zeros after the step, as `zeroGrad()` does, in the same pass where there is one. */
  readonly zeroGrad?: boolean;
  /** Multiplies every gradient before the step, such as by 1 over the scale of the loss. */
  readonly gradScale?: number;
  /**
   * Scales gradients down, after `gradScale` and before the step, when their norm is more than this, as `clipGradNorm` does.
   * The norm that they had is `opt.lastGradNorm`.
   */
  readonly clipNorm?: number;
}
