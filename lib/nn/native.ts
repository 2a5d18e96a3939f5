import { native } from '../internal/binding';
import { checkFunction } from '../internal/check';
import { construct } from '../internal/construct';
import type { ModuleHandle, TensorHandle } from '../internal/native';
import { addHook, deleteHook, runHook, type HookRemover } from '../tensor/hooks';
import { ArgumentError } from '../internal/errors';
import { Parameter } from '../tensor/parameter';
import { keep } from '../tensor/scope';
import { checkTensor, Tensor } from '../tensor/tensor';
import { isLike, type Copies } from './clone';
import { checkBufferName, Module, type ForwardHook, type Named } from './module';

type LayerClass = abstract new (...args: never[]) => NativeModule;

const classes = new Map<string, LayerClass>();

/** Names the classes that children of native containers are wrapped in, by the kind of layer. */
export function registerLayers(layers: Readonly<Record<string, LayerClass>>): void {
  for (const [kind, layer] of Object.entries(layers)) classes.set(kind, layer);
}

// The wrapper of a child made in C++: an instance of its class, whose own constructor would make another layer.
function wrap(handle: ModuleHandle): NativeModule {
  const Class = classes.get(native.moduleKind(handle)) ?? NativeModule;
  return construct<NativeModule>(NativeModule, [handle], Class);
}

function runForwardHook(
  id: number,
  input: TensorHandle,
  output: TensorHandle,
): TensorHandle | undefined {
  const replaced = runHook(id, () => [new Tensor(input), new Tensor(output)]);
  return replaced === undefined
    ? undefined
    : Tensor.handleOf(checkTensor('a forward hook', replaced));
}

// Tells `copies` which tensors and children of a native copy are those of the original.
function pairUp(original: NativeModule, copy: NativeModule, copies: Copies): void {
  for (const list of ['nativeParameters', 'nativeBuffers', 'nativeChildren'] as const) {
    const those = copy[list]();
    original[list]().forEach(([, value], i) => copies.add(value, those[i]?.[1]));
  }
  const children = copy.nativeChildren();
  original.nativeChildren().forEach(([, child], i) => {
    const other = children[i]?.[1];
    if (other) pairUp(child, other, copies);
  });
}

/** A module made in C++. Its children, parameters and buffers are reachable from here, one object each. */
export class NativeModule extends Module {
  readonly #handle: ModuleHandle;
  // Held strongly: a wrapper that were collected would come back as another object.
  #children: Named<NativeModule>[] | undefined;
  #parameters: Named<Parameter>[] | undefined;
  #buffers: Named<Tensor>[] | undefined;

  /** @internal Layers are made by their own classes. */
  constructor(handle: ModuleHandle);
  constructor(kind: string, options: object);
  constructor(kind: string | ModuleHandle, options: object = {}) {
    super();
    this.#handle = typeof kind === 'string' ? native.createLayer(kind, { ...options }) : kind;
  }

  /** Runs the layer on one input, in one native call. */
  override forward(input: Tensor): Tensor {
    return new Tensor(
      native.moduleForward(
        this.#handle,
        Tensor.handleOf(checkTensor(`${this.constructor.name}.forward`, input)),
        runForwardHook,
      ),
    );
  }

  override get kind(): string {
    return native.moduleKind(this.#handle);
  }

  override get repr(): string {
    return native.moduleRepr(this.#handle);
  }

  override get training(): boolean {
    return native.moduleIsTraining(this.#handle);
  }

  override setTraining(on: boolean): void {
    native.moduleTrain(this.#handle, on);
  }

  // What a subclass written in TypeScript adds comes after what is native.

  override namedChildren(): Named<Module>[] {
    return [...this.nativeChildren(), ...super.namedChildren()];
  }

  override ownParameters(): Named<Parameter>[] {
    return [...this.nativeParameters(), ...super.ownParameters()];
  }

  override ownBuffers(): Named<Tensor>[] {
    return this.nativeBuffers();
  }

  /** @internal */
  nativeChildren(): readonly Named<NativeModule>[] {
    this.#children ??= Array.from(native.moduleChildren(this.#handle), ([name, handle]) => [
      name,
      wrap(handle),
    ]);
    return this.#children;
  }

  /** @internal */
  nativeParameters(): readonly Named<Parameter>[] {
    this.#parameters ??= Array.from(
      native.moduleTensors(this.#handle, 'parameters'),
      ([name, handle]) => [name, new Parameter(handle)],
    );
    return this.#parameters;
  }

  /** @internal */
  nativeBuffers(): Named<Tensor>[] {
    this.#buffers ??= Array.from(
      native.moduleTensors(this.#handle, 'buffers'),
      ([name, handle]) => [name, keep(new Tensor(handle))],
    );
    return this.#buffers;
  }

  override registerBuffer(name: string, value: Tensor): Tensor {
    checkBufferName(name);
    native.moduleRegisterBuffer(
      this.#handle,
      name,
      Tensor.handleOf(checkTensor('registerBuffer', value)),
    );
    this.#buffers = [
      ...this.nativeBuffers().filter(([other]) => other !== name),
      [name, keep(value)],
    ];
    return value;
  }

  override registerForwardHook(hook: ForwardHook): HookRemover {
    checkFunction('registerForwardHook', hook);
    const id = addHook((input, output) =>
      hook(this, checkTensor('a forward hook', input), checkTensor('a forward hook', output)),
    );
    native.moduleAddHook(this.#handle, id);
    return {
      remove: () => {
        native.moduleRemoveHook(this.#handle, id);
        deleteHook(id);
      },
    };
  }

  override copyNative(copies: Copies): void {
    if (copies.has(this) || copies.native.has(this)) return;
    const copy = construct<this>(NativeModule, [native.moduleClone(this.#handle)], this);
    copies.native.set(this, copy);
    pairUp(this, copy, copies);
  }

  override copyBare(copies: Copies): this {
    const copy = copies.native.get(this);
    return isLike(this, copy)
      ? copy
      : construct<this>(NativeModule, [native.moduleClone(this.#handle)], this);
  }

  override release(): void {
    super.release();
    native.moduleDispose(this.#handle);
  }

  /** The layer's own parameter of this name; undefined where it has none (`bias: false`). */
  protected parameter(name: string): Parameter | undefined {
    return this.nativeParameters().find(([own]) => own === name)?.[1];
  }

  /** The weight of a layer that always has one. */
  protected get ownWeight(): Parameter {
    const weight = this.parameter('weight');
    if (!weight) throw new ArgumentError(`${this.kind}: expected a layer with a weight`);
    return weight;
  }
}
