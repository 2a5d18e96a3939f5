import { inspect } from 'node:util';
import { isRecord } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { linalgVectorNorm, stack } from '../ops';
import { noGrad } from '../tensor/autograd';
import { tidy } from '../tensor/scope';
import type { Optimizer } from './optimizer';

/** Returns the L2 norm of all gradients of an optimizer's parameters taken together; 0 where there are none. */
export function gradNorm(opt: Optimizer): number {
  const given: unknown = opt;
  if (!isRecord(given) || typeof given.allParams !== 'function') {
    throw new ArgumentError(`gradNorm: expected an optimizer, got ${inspect(given, { depth: 0 })}`);
  }
  const grads = opt.allParams().flatMap(([p]) => p.grad ?? []);
  if (grads.length === 0) return 0;
  return noGrad(() =>
    tidy(() => {
      // In float64, as by the kernels: squares of scaled gradients are beyond the range of the others.
      const norms = grads.map((grad) => linalgVectorNorm(grad, { dtype: 'float64' }));
      return linalgVectorNorm(stack(norms)).item();
    }),
  );
}
