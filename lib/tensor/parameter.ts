import type { TensorHandle } from '../internal/native';
import { rawOp } from '../internal/op';
import { checkOptions } from '../internal/options';
import { Scoped } from './scope';
import { Tensor } from './tensor';

const detach = rawOp('detach', '', ['self']);

/**
 * A tensor that a module owns and an optimizer trains. It belongs to no scope, and is one object for its whole life:
 * `model.parameters()[0] === model.parameters()[0]`.
 *
 * @example
 * ```ts
 * class Scale extends nn.Module {
 *   factor = new nn.Parameter(ones([3]));
 *   forward(x: Tensor) {
 *     return x.mul(this.factor);
 *   }
 * }
 * ```
 */
export class Parameter extends Tensor {
  /** @param data its values; the memory is shared with `data`, the history is not. */
  constructor(data: Tensor, options?: { readonly requiresGrad?: boolean });
  /** @internal */
  constructor(handle: TensorHandle);
  constructor(data: Tensor | TensorHandle, options: { readonly requiresGrad?: boolean } = {}) {
    checkOptions('Parameter', options, ['requiresGrad'], { requires_grad: 'requiresGrad' });
    super(data instanceof Tensor ? detach(Tensor.handleOf(data)) : data);
    Scoped.setOwner(this, undefined);
    if (data instanceof Tensor) this.requiresGrad = options.requiresGrad ?? true;
  }

  override dispose(): void {
    if (!this.isDisposed) this.grad?.dispose();
    super.dispose();
  }
}
