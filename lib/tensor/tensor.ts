import { inspect } from 'node:util';
import { native } from '../internal/binding';
import { ArgumentError } from '../internal/errors';
import { isHandle } from '../internal/handle';
import type { NodeHandle, TensorHandle, TypedArray } from '../internal/native';
import { rawOp } from '../internal/op';
import { checkOptions } from '../internal/options';
import type { TensorLike, TensorOptions } from './create';
import { arrayFor, isDType, type Device, type DType } from './dtype';
import { formatTensor, nest, type NestedArray } from './format';
import {
  addHook,
  deleteHook,
  forgetDeadHooks,
  type HookRemover,
  mayFireOnGpu,
  runHook,
} from './hooks';
import { Scoped } from './scope';

const toOptions = rawOp('to', 'dtype_layout', [
  'self',
  'dtype',
  'device',
  'non_blocking',
  'copy',
  'memory_format',
]);
const callPinMemory = rawOp('pin_memory', '', ['self']);
const dimensions = new Float64Array(128);
const backwardOptions = ['gradient', 'retainGraph', 'createGraph', 'inputs'];
const toOptionNames = ['dtype', 'device', 'copy', 'nonBlocking', 'memoryFormat'];
const toHints = {
  non_blocking: 'nonBlocking',
  nonblocking: 'nonBlocking',
  memory_format: 'memoryFormat',
};
/** PyTorch's names of autograd's options. */
export const fromPython = {
  ...{ retain_graph: 'retainGraph', create_graph: 'createGraph' },
  ...{ grad_outputs: 'gradOutputs', allow_unused: 'allowUnused' },
};

/** What `Tensor.to` takes besides a dtype and a device. */
export interface ToOptions {
  readonly dtype?: DType;
  readonly device?: Device;
  /** Copies even where nothing changes. */
  readonly copy?: boolean;
  /** Lets a copy from pinned memory to a GPU run on while the program goes on. */
  readonly nonBlocking?: boolean;
  readonly memoryFormat?: 'contiguous' | 'preserve' | 'channels_last' | 'channels_last_3d';
}

/** The options of `Tensor.backward`. */
export interface BackwardOptions {
  /** The gradient of this tensor, of its shape; a tensor of one element needs none. */
  readonly gradient?: Tensor;
  /** Keeps the graph for another pass; `createGraph` where it isn't given. */
  readonly retainGraph?: boolean;
  /** Records the gradients' own graph, for higher derivatives. */
  readonly createGraph?: boolean;
  /** The leaves to accumulate gradients in; all that the graph reaches where it isn't given. */
  readonly inputs?: readonly Tensor[];
}

/**
 * An n-dimensional array of libtorch. Made by `tensor`, `zeros`, `randn` and their like, and by operators, which are
 * methods (`x.matmul(y)`) and functions of `ops`. A tensor belongs to the innermost scope (`tidy`) in which it was
 * made; without one, the garbage collector frees it.
 *
 * @example
 * ```ts
 * const x = tensor([[1, 2], [3, 4]], { requiresGrad: true });
 * x.matmul(x).sum().backward();
 * x.grad?.toArray(); // [[7, 11], [9, 13]]
 * ```
 */
export class Tensor extends Scoped {
  readonly #handle: TensorHandle;
  static #disposals = 0;
  #disposed = false;
  #grad: Tensor | undefined;

  /** @internal Tensors are made by `tensor()` and its like. */
  constructor(handle: TensorHandle) {
    if (!isHandle(handle)) {
      throw new ArgumentError(
        `new Tensor: expected nobody to call this, got ${inspect(handle)}; use tensor(...)`,
      );
    }
    super();
    this.#handle = handle;
  }

  /** Makes a tensor that holds a copy of `data`; the same as `tensor(data, options)`. */
  declare static from: (data: TensorLike, options?: TensorOptions) => Tensor;

  /** @internal */
  static handleOf(value: Tensor): TensorHandle {
    return value.#handle;
  }

  /** @internal How many tensors have been disposed so far: while it stays, what was live still is. */
  static get disposals(): number {
    return Tensor.#disposals;
  }

  /** The sizes of all dimensions; `[]` for a scalar. */
  get shape(): number[] {
    return Array.from(dimensions.subarray(0, native.sizes(this.#handle, dimensions)));
  }

  /** How many elements lie between two neighbours of each dimension. */
  get strides(): number[] {
    return Array.from(dimensions.subarray(0, native.strides(this.#handle, dimensions)));
  }

  /** The number of dimensions. */
  get ndim(): number {
    return native.sizes(this.#handle, dimensions);
  }

  /** The number of elements. */
  get numel(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }

  get dtype(): DType {
    return native.dtype(this.#handle);
  }

  get device(): Device {
    return native.device(this.#handle);
  }

  get isContiguous(): boolean {
    return native.isContiguous(this.#handle);
  }

  /** Counts the in-place changes of its values, also those made through views. */
  get version(): number {
    return native.version(this.#handle);
  }

  override get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Whether operators on this tensor are recorded for `backward`. Settable on leaves. */
  get requiresGrad(): boolean {
    return native.requiresGrad(this.#handle);
  }

  set requiresGrad(on: boolean) {
    native.setRequiresGrad(this.#handle, on);
  }

  /** Sets `requiresGrad` and returns this tensor. */
  requiresGrad_(on = true): this {
    this.requiresGrad = on;
    return this;
  }

  /** Whether no recorded operator made this tensor. */
  get isLeaf(): boolean {
    return native.isLeaf(this.#handle);
  }

  /** The operator that made this tensor, as autograd recorded it; null for a leaf. */
  get gradFn(): GradNode | null {
    const node = native.gradFn(this.#handle);
    return node && new GradNode(node);
  }

  /**
   * The gradient that `backward` has accumulated, always the same object while it is the same gradient; null where
   * there is none. Assignable, also on a tensor that needs no gradient: shape, dtype and device must be this tensor's.
   */
  get grad(): Tensor | null {
    const known = this.#grad;
    const handle = native.grad(
      this.#handle,
      known === undefined || known.#disposed ? undefined : known.#handle,
    );
    if (handle === undefined) return known ?? null;
    if (handle === null) {
      this.#grad = undefined;
      return null;
    }
    // It lives as long as this tensor, whoever asks for it first.
    const scope = Scoped.ownerOf(this);
    const grad = (this.#grad = new Tensor(handle));
    if (scope) scope.adopt(grad);
    else Scoped.setOwner(grad, undefined);
    return grad;
  }

  set grad(value: Tensor | null) {
    native.setGrad(this.#handle, value === null ? null : checkTensor('grad', value).#handle);
    this.#grad = value ?? undefined;
  }

  /** Whether there is a gradient; cheaper than asking for it. */
  get hasGrad(): boolean {
    return native.hasGrad(this.#handle);
  }

  /** Keeps the gradient of a tensor that is not a leaf, for reading after `backward`. */
  retainGrad(): void {
    native.retainGrad(this.#handle);
  }

  /**
   * Computes the gradients of this tensor by all leaves that need one, and adds them to each leaf's `grad`.
   *
   * @throws TorchError when the graph was freed by an earlier pass, or an in-place change spoilt a saved value.
   */
  backward(options: BackwardOptions = {}): void {
    checkOptions('backward', options, backwardOptions, fromPython);
    const { gradient, createGraph = false, retainGraph = createGraph, inputs = [] } = options;
    checkList('backward: inputs', inputs);
    forgetDeadHooks();
    native.backward(
      [this.#handle],
      [gradient ? checkTensor('backward', gradient).#handle : null],
      retainGraph,
      createGraph,
      inputs.map((input) => checkTensor('backward', input).#handle),
      runGradHook,
      mayFireOnGpu(),
    );
  }

  /**
   * Calls `hook` with each gradient of this tensor that `backward` computes; a tensor that it returns replaces it.
   *
   * @returns an object whose `remove()` takes the hook away.
   */
  registerHook(hook: (grad: Tensor) => Tensor | undefined | void): HookRemover {
    if (typeof hook !== 'function') {
      throw new ArgumentError(`registerHook: expected a function, got ${inspect(hook)}`);
    }
    const id = addHook((grad) => hook(checkTensor('registerHook', grad)));
    const position = native.addGradHook(this.#handle, id);
    return {
      remove: () => {
        if (!this.#disposed) native.removeGradHook(this.#handle, position);
        deleteHook(id);
      },
    };
  }

  /** Copies the elements, row-major, into a new TypedArray of the dtype (half types as float32, bool as bytes). */
  data(): TypedArray {
    const into = arrayFor(this.dtype, this.numel);
    native.copyOut(this.#handle, into);
    return into;
  }

  /**
   * Copies the elements into nested arrays of numbers (booleans for bool); a scalar tensor gives its number.
   *
   * @throws ArgumentError when an int64 is outside the safe integers: `data()` gives bigints.
   */
  toArray(): NestedArray {
    return nest(this.data(), this.shape, this.dtype);
  }

  /**
   * Returns the only element as a number, 1 or 0 for bool.
   *
   * @throws ArgumentError when there is not exactly one, or an int64 is outside the safe integers.
   */
  item(): number {
    const value = native.item(this.#handle);
    if (typeof value !== 'bigint') return Number(value);
    throw new ArgumentError(
      `item: ${value} is outside the safe integers; data() gives it as a bigint`,
    );
  }

  /** Returns this tensor with another dtype or device: a new handle always, new memory only where something changes. */
  to(target: DType | Device | Tensor | ToOptions, options: ToOptions = {}): Tensor {
    checkOptions('to', options, toOptionNames, toHints);
    const {
      dtype,
      device,
      nonBlocking = false,
      copy = false,
      memoryFormat,
    } = { ...toTarget(target), ...options };
    return new Tensor(toOptions(this.#handle, dtype, device, nonBlocking, copy, memoryFormat));
  }

  /**
   * Copies a tensor of the CPU into memory that the system never moves, from where a GPU fetches it by itself:
   * `x.pinMemory().to('cuda', { nonBlocking: true })` goes on at once.
   *
   * @throws CudaUnavailableError where there is no GPU.
   */
  pinMemory(): Tensor {
    native.cudaCurrentDevice();
    return new Tensor(callPinMemory(this.#handle));
  }

  cpu(): Tensor {
    return this.to('cpu');
  }

  cuda(): Tensor {
    return this.to('cuda');
  }

  float(): Tensor {
    return this.to('float32');
  }

  double(): Tensor {
    return this.to('float64');
  }

  long(): Tensor {
    return this.to('int64');
  }

  bool(): Tensor {
    return this.to('bool');
  }

  /** Replaces the memory beneath this tensor by that of `value`; gradients, hooks and the object itself stay. */
  setData(value: Tensor): void {
    native.setData(this.#handle, checkTensor('setData', value).#handle);
  }

  override dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    Tensor.#disposals += 1;
    native.dispose(this.#handle);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  override toString(): string {
    return this.#disposed ? 'tensor(disposed)' : formatTensor(this);
  }

  [inspect.custom](): string {
    const name = this.constructor.name;
    return this.#disposed
      ? `${name}(disposed)`
      : `${name} ${formatTensor(this, 100).slice('tensor'.length)}`;
  }
}

/** A node of the graph that autograd recorded. */
export class GradNode {
  readonly #handle: NodeHandle;

  /** @internal */
  constructor(handle: NodeHandle) {
    this.#handle = handle;
  }

  /** The name of the derivative, such as `MulBackward0`. */
  get name(): string {
    return native.nodeName(this.#handle);
  }

  /** The nodes that this one passes its gradients on to; null for inputs that need none. */
  get nextFunctions(): (GradNode | null)[] {
    return Array.from(native.nextNodes(this.#handle), (node) => node && new GradNode(node));
  }
}

function checkList(where: string, value: unknown): void {
  if (Array.isArray(value)) return;
  throw new ArgumentError(
    `${where}: expected a list of tensors, got ${inspect(value, { depth: 0 })}`,
  );
}

/** Passes a tensor on and refuses all else. */
export function checkTensor(where: string, value: unknown): Tensor {
  if (value instanceof Tensor) return value;
  throw new ArgumentError(`${where}: expected a Tensor, got ${inspect(value, { depth: 0 })}`);
}

/** What the first argument of `to` asks for. */
export function toTarget(target: DType | Device | Tensor | ToOptions): ToOptions {
  if (typeof target === 'string') return isDType(target) ? { dtype: target } : { device: target };
  if (target instanceof Tensor) return { dtype: target.dtype, device: target.device };
  checkOptions('to', target, toOptionNames, toHints);
  return target;
}

/** @internal Runs the gradient hook `id`; given to the addon with each backward pass. */
export function runGradHook(id: number, grad: TensorHandle): TensorHandle | undefined {
  const replaced = runHook(id, () => [new Tensor(grad)]);
  return replaced === undefined
    ? undefined
    : Tensor.handleOf(checkTensor('a gradient hook', replaced));
}
