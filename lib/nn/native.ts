import { native } from '../internal/binding';
import { construct } from '../internal/construct';
import type { ModuleHandle, TensorHandle } from '../internal/native';
import { addHook, deleteHook, runHook, type HookRemover } from '../tensor/hooks';
import { ArgumentError } from '../internal/errors';
import { Parameter } from '../tensor/parameter';
import { keep } from '../tensor/scope';
import { checkTensor, Tensor } from '../tensor/tensor';
import { Module, type ForwardHook, type Named } from './module';

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

  override namedChildren(): Named<NativeModule>[] {
    this.#children ??= Array.from(native.moduleChildren(this.#handle), ([name, handle]) => [
      name,
      wrap(handle),
    ]);
    return [...this.#children];
  }

  override ownParameters(): Named<Parameter>[] {
    this.#parameters ??= Array.from(
      native.moduleTensors(this.#handle, 'parameters'),
      ([name, handle]) => [name, new Parameter(handle)],
    );
    return this.#parameters;
  }

  override ownBuffers(): Named<Tensor>[] {
    this.#buffers ??= Array.from(
      native.moduleTensors(this.#handle, 'buffers'),
      ([name, handle]) => [name, keep(new Tensor(handle))],
    );
    return this.#buffers;
  }

  override registerBuffer(name: string, value: Tensor): Tensor {
    native.moduleRegisterBuffer(
      this.#handle,
      name,
      Tensor.handleOf(checkTensor('registerBuffer', value)),
    );
    this.#buffers = [...this.ownBuffers().filter(([other]) => other !== name), [name, keep(value)]];
    return value;
  }

  override registerForwardHook(hook: ForwardHook): HookRemover {
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

  override clone(): this {
    return construct<this>(NativeModule, [native.moduleClone(this.#handle)], this);
  }

  override release(): void {
    super.release();
    native.moduleDispose(this.#handle);
  }

  /** The layer's own parameter of this name; undefined where it has none (`bias: false`). */
  protected parameter(name: string): Parameter | undefined {
    return this.ownParameters().find(([own]) => own === name)?.[1];
  }

  /** The weight of a layer that always has one. */
  protected get ownWeight(): Parameter {
    const weight = this.parameter('weight');
    if (!weight) throw new ArgumentError(`${this.kind}: expected a layer with a weight`);
    return weight;
  }
}
