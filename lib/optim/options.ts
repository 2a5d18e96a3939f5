/** Which way a step goes: `false` always by the callbacks, `'auto'` by a fused kernel where there is one. */
export type Fused = 'auto' | boolean;

/** The options of `new Optimizer`. */
export interface OptimizerOptions {
  /** `'auto'` where it isn't given. */
  readonly fused?: Fused;
}
