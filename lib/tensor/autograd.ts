import { native } from '../internal/binding';
import { checkFunction } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { mayFireOnGpu } from './hooks';
import { refusePromise } from './scope';
import { checkTensor, fromPython, runGradHook, Tensor } from './tensor';

const gradOptions = ['gradOutputs', 'retainGraph', 'createGraph', 'allowUnused'];

function withGrad<T>(where: string, on: boolean, body: () => T): T {
  checkFunction(where, body);
  const before = native.setGradEnabled(on);
  try {
    return refusePromise(where, body());
  } finally {
    native.setGradEnabled(before);
  }
}

/**
 * Runs `body` without recording anything for `backward`.
 *
 * @throws ArgumentError when `body` returns a promise.
 */
export function noGrad<T>(body: () => T): T {
  return withGrad('noGrad', false, body);
}

/** Runs `body` with recording on, also inside `noGrad`. */
export function enableGrad<T>(body: () => T): T {
  return withGrad('enableGrad', true, body);
}

/** Tells whether operators are recorded for `backward` here. */
export function isGradEnabled(): boolean {
  return native.isGradEnabled();
}

/** The options of `grad`. */
export interface GradOptions {
  /** The gradient of each output; outputs of one element need none. */
  readonly gradOutputs?: Tensor | readonly Tensor[];
  readonly retainGraph?: boolean;
  readonly createGraph?: boolean;
  /** Gives null for inputs that the outputs don't depend on, instead of an error. */
  readonly allowUnused?: boolean;
}

function handles(where: string, tensors: Tensor | readonly Tensor[]) {
  const list = tensors instanceof Tensor ? [tensors] : tensors;
  if (!Array.isArray(list)) checkTensor(where, list);
  return list.map((tensor) => Tensor.handleOf(checkTensor(where, tensor)));
}

/**
 * Computes the gradients of `outputs` by `inputs`, and leaves every `.grad` as it is.
 *
 * @returns one tensor for each input, of its shape.
 * @throws TorchError when an input is unused, unless `allowUnused`.
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions & { readonly allowUnused: true },
): (Tensor | null)[];
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options?: GradOptions,
): Tensor[];
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions = {},
): (Tensor | null)[] {
  checkOptions('grad', options, gradOptions, fromPython);
  const {
    gradOutputs,
    createGraph = false,
    retainGraph = createGraph,
    allowUnused = false,
  } = options;
  const from = handles('grad', outputs);
  const by = handles('grad', inputs);
  if (from.length === 0 || by.length === 0) {
    throw new ArgumentError(
      `grad: expected at least one output and one input, got ${from.length} and ${by.length}`,
    );
  }
  const found = native.gradients(
    from,
    by,
    gradOutputs === undefined ? from.map(() => null) : handles('grad', gradOutputs),
    retainGraph,
    createGraph,
    allowUnused,
    runGradHook,
    mayFireOnGpu(),
  );
  return Array.from(found, (handle) => handle && new Tensor(handle));
}
