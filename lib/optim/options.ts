import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import type { Tensor } from '../tensor/tensor';

/** Which way a step goes: `false` always by the callbacks, `'auto'` by a fused kernel where there is one. */
export type Fused = 'auto' | boolean;

/** How averages are stored: as numbers of 32 bits (64 for float64 parameters), or of 16. */
export type StateDtype = 'float32' | 'bfloat16';

/** The options of `new Optimizer`. */
export interface OptimizerOptions {
  /** `'auto'` where it isn't given. */
  readonly fused?: Fused;
  /**
   * `'float32'` where it isn't given. `'bfloat16'` halves the memory of averages, and loses what changes one by less than
   * about 1/256 of it: an average with `sqr_mom` 0.999 stands still.
   */
  readonly stateDtype?: StateDtype;
}

/** The options of `Optimizer.step`; what they ask for is done to all parameters, frozen ones as well. */
export interface StepOptions {
  /** Fills every gradient with zeros after the step, as `zeroGrad()` does, in the same pass where there is one. */
  readonly zeroGrad?: boolean;
  /**
   * Multiplies every gradient before the step, such as by 1 over the scale of the loss. Should a callback throw, gradients are
   * divided by it again.
   */
  readonly gradScale?: number;
  /**
   * Scales gradients down, after `gradScale` and before the step, when their norm is more than this, as `clipGradNorm` does.
   * The norm that they had is `opt.lastGradNorm`.
   */
  readonly clipNorm?: number;
}

/** Refuses what is no way of taking a step. */
export function checkFused(fused: unknown): Fused {
  if (fused === 'auto' || typeof fused === 'boolean') return fused;
  throw new ArgumentError(
    `Optimizer: expected fused 'auto', true or false, got ${inspect(fused, { depth: 0 })}`,
  );
}

/** Refuses what averages can't be stored as, and to store those of float64 parameters in less than they have. */
export function checkStateDtype(dtype: unknown, params: Iterable<Tensor>): StateDtype {
  if (dtype !== 'float32' && dtype !== 'bfloat16') {
    throw new ArgumentError(
      `Optimizer: expected stateDtype 'float32' or 'bfloat16', got ${inspect(dtype, { depth: 0 })}`,
    );
  }
  if (dtype === 'float32') return dtype;
  for (const p of params) {
    if (p.dtype !== 'float64') continue;
    throw new ArgumentError(
      "Optimizer: expected parameters of at most 32 bits with stateDtype 'bfloat16', got float64; leave stateDtype out",
    );
  }
  return dtype;
}
