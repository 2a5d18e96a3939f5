// Weights that are stored in half precision. Callbacks see them in float32, and what all of them leave is rounded once, as by
// the kernels.
import type { Tensor } from '../tensor/tensor';
import { stateDtype } from './state';

/**
 * Makes a weight of half precision float32, while it stays the same object; its gradient stays as it is.
 *
 * @returns the memory to `narrowWeight` to, or undefined where the weight is wide already.
 */
export function widenWeight(p: Tensor): Tensor | undefined {
  const dtype = stateDtype(p);
  if (p.dtype === dtype) return undefined;
  const stored = p.detach();
  p.setData(p.to({ dtype }));
  return stored;
}

/** Rounds a weight to the memory where it was stored. */
export function narrowWeight(p: Tensor, stored: Tensor): void {
  stored.copy_(p);
  p.setData(stored);
}
