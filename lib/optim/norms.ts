import { rawListOp, rawOp } from '../internal/op';
import { linalgVectorNorm, stack } from '../ops';
import type { Device, DType } from '../tensor/dtype';
import { keep } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';

/** At least one tensor. */
export type SomeTensors = readonly [Tensor, ...Tensor[]];

// One operator for many tensors is a few launches on a GPU instead of one for each.
const foreachNorm = rawListOp('_foreach_norm', 'Scalar', ['self', 'ord', 'dtype']);
const foreachMul = rawOp('_foreach_mul_', 'Tensor', ['self', 'other']);
const foreachZero = rawOp('_foreach_zero_', '', ['self']);

// A model may be spread over several devices.
function byDevice(tensors: readonly Tensor[]): Map<Device, Tensor[]> {
  const lists = new Map<Device, Tensor[]>();
  for (const tensor of tensors) {
    const { device } = tensor;
    const list = lists.get(device);
    if (list) list.push(tensor);
    else lists.set(device, [tensor]);
  }
  return lists;
}

const handlesOf = (tensors: readonly Tensor[]) => tensors.map((each) => Tensor.handleOf(each));

/** Computes the norm of all gradients taken together, on the device of the first. */
export function totalNorm(grads: SomeTensors, normType = 2, dtype?: DType): Tensor {
  const { device } = grads[0];
  const norms = Array.from(byDevice(grads).values(), handlesOf).flatMap((handles) =>
    foreachNorm(handles, normType, dtype).map((norm) => new Tensor(norm).to(device)),
  );
  return linalgVectorNorm(stack(norms), normType);
}

/** Computes what brings gradients of a norm down to `maxNorm`; 1 for smaller ones. */
export function limitOf(norm: Tensor, maxNorm: number): Tensor {
  return norm.add(1e-6).reciprocal().mul(maxNorm).clampMax(1);
}

/** Multiplies gradients by a number on a device. */
export function scaleAll(grads: readonly Tensor[], scale: Tensor): void {
  for (const [device, list] of byDevice(grads))
    foreachMul(handlesOf(list), Tensor.handleOf(scale.to(device)));
}

/**
 * Multiplies gradients by `factor`, and limits their norm then. Reads nothing from the device.
 *
 * @returns the norm that they had between.
 */
export function scaleAndLimit(grads: SomeTensors, factor: number, maxNorm: number): Tensor {
  // In float64, as by the kernels: squares of scaled gradients are beyond the range of the others.
  const norm = totalNorm(grads, 2, 'float64').mul(Math.abs(factor));
  const scale = limitOf(norm, maxNorm).mul(factor);
  scaleAll(grads, grads[0].dtype === 'float64' ? scale : scale.float());
  return norm;
}

/** Returns the gradients that there are; undefined where they are on the CPU, or there is none. */
export function gradientsOnGpu(params: readonly Tensor[]): SomeTensors | undefined {
  const [first, ...rest] = params.flatMap((p) => p.grad ?? []);
  return first?.device.startsWith('cuda') ? [first, ...rest] : undefined;
}

/** A number that stays on its device until somebody asks for it. */
export class LateNumber {
  #value: number | Tensor | undefined;

  get value(): number | undefined {
    if (!(this.#value instanceof Tensor)) return this.#value;
    const number = this.#value.item();
    this.value = number;
    return number;
  }

  set value(value: number | Tensor | undefined) {
    this.dispose();
    this.#value = keep(value);
  }

  dispose(): void {
    if (this.#value instanceof Tensor) this.#value.dispose();
    this.#value = undefined;
  }
}

/** Fills tensors with zeros, in place. */
export function zeroAll(tensors: readonly Tensor[]): void {
  if (tensors.length > 0) foreachZero(handlesOf(tensors));
}
