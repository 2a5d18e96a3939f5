import { inspect } from 'node:util';
import { construct } from '../internal/construct';
import { checkFlag, checkFunction } from '../internal/check';
import { ArgumentError, DisposedError } from '../internal/errors';
import { noGrad } from '../tensor/autograd';
import type { HookRemover } from '../tensor/hooks';
import { Parameter } from '../tensor/parameter';
import { keep, tidy } from '../tensor/scope';
import { checkTensor, type Tensor, toTarget, type ToOptions } from '../tensor/tensor';
import { Copies } from './clone';
import { copyInto, type LoadOptions, type LoadResult, type StateDict } from './state';
import { describeModule, summarize } from './summary';

/** Runs after a module's `forward`; a tensor that it returns replaces the output. */
export type ForwardHook = (
  module: Module,
  input: Tensor,
  output: Tensor,
) => Tensor | undefined | void;

// The dimensions of tensors that have channels to put last.
const imageDimensions = {
  contiguous: undefined,
  preserve: undefined,
  channels_last: 4,
  channels_last_3d: 5,
};

/** Refuses what can't be the name of a buffer. */
export function checkBufferName(name: unknown): void {
  if (typeof name === 'string' && name !== '' && !name.includes('.')) return;
  throw new ArgumentError(
    `registerBuffer: expected a name without dots, got ${inspect(name, { depth: 0 })}`,
  );
}

/** A name and what it names. */
export type Named<T> = [name: string, value: T];

/**
 * The base of all networks. Parameters and modules that are properties belong to the module, in the order in which
 * they were assigned (private `#fields` excepted: nobody else can see those); buffers are registered.
 *
 * @example
 * ```ts
 * class TwoLayers extends nn.Module {
 *   first = new nn.Linear(784, 100);
 *   second = new nn.Linear(100, 10);
 *   mean = this.registerBuffer('mean', zeros([784]));
 *
 *   forward(x: Tensor): Tensor {
 *     return this.second.forward(this.first.forward(x.sub(this.mean)).relu());
 *   }
 * }
 * ```
 */
export abstract class Module {
  #training = true;
  #disposed = false;
  readonly #buffers = new Map<string, Tensor>();
  readonly #hooks = new Set<ForwardHook>();

  abstract forward(...inputs: Tensor[]): Tensor;

  // ---- what subclasses over something else than properties override ----

  /** The name of what this is: the class, or the native layer. */
  get kind(): string {
    return this.constructor.name;
  }

  /** The module's own settings, such as `3, 32, kernel_size=(3, 3)`; shown by `toString` and `summary`. */
  get repr(): string {
    return '';
  }

  /** Whether batch norms gather statistics and dropouts drop. */
  get training(): boolean {
    return this.#training;
  }

  /** @internal */
  setTraining(on: boolean): void {
    this.#training = on;
  }

  /** The direct children with their names. */
  namedChildren(): Named<Module>[] {
    return Object.entries(this).filter(
      (entry): entry is Named<Module> => entry[1] instanceof Module,
    );
  }

  /** @internal */
  ownParameters(): Named<Parameter>[] {
    return Object.entries(this).filter(
      (entry): entry is Named<Parameter> => entry[1] instanceof Parameter,
    );
  }

  /** @internal */
  ownBuffers(): Named<Tensor>[] {
    return [...this.#buffers];
  }

  /**
   * Adds a tensor that is no parameter but part of the state, such as a running mean. Change it in place.
   *
   * @returns `value`, which belongs to the module from now on.
   */
  registerBuffer(name: string, value: Tensor): Tensor {
    checkBufferName(name);
    this.#buffers.set(name, keep(checkTensor('registerBuffer', value)));
    return value;
  }

  /** Calls `hook` after each `forward`. */
  registerForwardHook(hook: ForwardHook): HookRemover {
    checkFunction('registerForwardHook', hook);
    if (this.#hooks.size === 0) this.#watchForward();
    this.#hooks.add(hook);
    return { remove: () => this.#hooks.delete(hook) };
  }

  // Modules written in TypeScript are called by `forward` itself, so the hooks go round that.
  #watchForward(): void {
    const forward = this.forward.bind(this);
    const watched = (...inputs: Tensor[]): Tensor => {
      let output = forward(...inputs);
      const [input] = inputs;
      if (input) for (const hook of this.#hooks) output = hook(this, input, output) ?? output;
      return output;
    };
    Object.defineProperty(this, 'forward', { value: watched, configurable: true });
  }

  // ---- the tree ----

  children(): Module[] {
    return this.namedChildren().map(([, child]) => child);
  }

  /** This module (named `''`) and all below it, each once, with dotted names. */
  namedModules(): Named<Module>[] {
    const found = new Map<Module, string>();
    const visit = (module: Module, name: string): void => {
      if (found.has(module)) return;
      found.set(module, name);
      for (const [key, child] of module.namedChildren())
        visit(child, name === '' ? key : `${name}.${key}`);
    };
    visit(this, '');
    return Array.from(found, ([module, name]) => [name, module]);
  }

  modules(): Module[] {
    return this.namedModules().map(([, module]) => module);
  }

  /** Returns the module of a dotted name, such as `4.0.convpath`. */
  getSubmodule(path: string): Module {
    const found = this.namedModules().find(([name]) => name === path)?.[1];
    if (found) return found;
    throw new ArgumentError(
      `getSubmodule: expected the name of a module, got ${inspect(path, { depth: 0 })}, which is none in ${this.kind}`,
    );
  }

  #named<T extends Tensor>(own: (module: Module) => Named<T>[]): Named<T>[] {
    if (this.#disposed) throw new DisposedError(`${this.kind}: the module has been disposed`);
    const found = new Map<T, string>();
    for (const [path, module] of this.namedModules()) {
      for (const [name, value] of own(module)) {
        if (!found.has(value)) found.set(value, path === '' ? name : `${path}.${name}`);
      }
    }
    return Array.from(found, ([value, name]) => [name, value]);
  }

  /** All parameters, each once, with dotted names. */
  namedParameters(): Named<Parameter>[] {
    return this.#named((module) => module.ownParameters());
  }

  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }

  namedBuffers(): Named<Tensor>[] {
    return this.#named((module) => module.ownBuffers());
  }

  buffers(): Tensor[] {
    return this.namedBuffers().map(([, buffer]) => buffer);
  }

  // ---- what is done to the whole tree ----

  /** Calls `visit` with every module, children first. */
  apply(visit: (module: Module) => void): this {
    checkFunction('apply', visit);
    const seen = new Set<Module>();
    const descend = (module: Module): void => {
      if (seen.has(module)) return;
      seen.add(module);
      module.children().forEach(descend);
      visit(module);
    };
    descend(this);
    return this;
  }

  train(on = true): this {
    checkFlag('train', on);
    for (const module of this.modules()) module.setTraining(on);
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /** Turns recording for `backward` on or off for every parameter. */
  requiresGrad_(on = true): this {
    checkFlag('requiresGrad_', on);
    for (const parameter of this.parameters()) parameter.requiresGrad = on;
    return this;
  }

  /** Sets every gradient to null. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = null;
  }

  /**
   * Moves parameters, their gradients and buffers, in place. A dtype changes those of floating point only, channels last those
   * with as many dimensions as images have.
   */
  to(target: Parameters<Tensor['to']>[0], options: ToOptions = {}): this {
    const { memoryFormat: format } = { ...options, ...toTarget(target) };
    if (format !== undefined && !Object.keys(imageDimensions).includes(format)) {
      throw new ArgumentError(
        `to: expected the memory format ${Object.keys(imageDimensions).join(', ')}, got ${inspect(format, { depth: 0 })}`,
      );
    }
    const moved = (value: Tensor): Tensor => {
      const { dtype, memoryFormat, ...place } = { ...options, ...toTarget(target) };
      const wanted = memoryFormat && imageDimensions[memoryFormat];
      return value.to({
        ...place,
        ...(dtype && value.dtype.includes('float') ? { dtype } : {}),
        ...(memoryFormat && [undefined, value.ndim].includes(wanted) ? { memoryFormat } : {}),
      });
    };
    noGrad(() =>
      tidy(() => {
        for (const value of [...this.parameters(), ...this.buffers()]) {
          const grad = value.grad;
          value.setData(moved(value));
          if (grad) value.grad = keep(moved(grad));
        }
      }),
    );
    return this;
  }

  // Parameters and buffers, module by module.
  #stateEntries(): Named<Tensor>[] {
    const entries = this.#named<Tensor>((module) => [
      ...module.ownParameters(),
      ...module.ownBuffers(),
    ]);
    const names = new Set<string>();
    for (const [name] of entries) {
      if (names.has(name)) {
        throw new ArgumentError(
          `${this.kind}: expected one parameter or buffer of a name, got two called '${name}'; rename one`,
        );
      }
      names.add(name);
    }
    return entries;
  }

  /** Copies parameters and buffers, module by module, by their dotted names. */
  stateDict(): StateDict {
    return noGrad(() =>
      Object.fromEntries(
        this.#stateEntries().map(([name, value]) => [name, value.detach().to({ copy: true })]),
      ),
    );
  }

  /**
   * Copies values into the parameters and buffers of the same names. Nothing is changed when something doesn't fit.
   *
   * @throws ArgumentError for a missing or unexpected name, unless `strict` is false, and for another shape.
   */
  loadStateDict(state: StateDict, options: LoadOptions = {}): LoadResult {
    return copyInto(this.#stateEntries(), state, options);
  }

  /**
   * Makes an independent copy: parameters, buffers, training flags; no gradients, no hooks. What is used twice is so in the
   * copy. Private `#fields` of a subclass can't be copied: such a class overrides this.
   *
   * @throws ArgumentError when a property is a function.
   */
  clone(): this {
    const copies = new Copies();
    for (const module of this.modules()) module.copyNative(copies);
    return this.copyWith(copies);
  }

  /** @internal Copies what C++ holds, before the properties that refer to it. */
  copyNative(_copies: Copies): void {
    // A module written in TypeScript has nothing there.
  }

  /** @internal */
  copyWith(copies: Copies): this {
    const copy = this.copyBare(copies);
    copies.add(this, copy);
    for (const [name, buffer] of this.#buffers) {
      copy.registerBuffer(name, checkTensor('clone', copies.of(buffer)));
    }
    copies.assign(this, copy);
    return copy;
  }

  /** @internal Makes the copy without properties: the constructor of the class itself may want arguments. */
  copyBare(_copies: Copies): this {
    const copy = construct<this>(Module, [], this);
    copy.setTraining(this.training);
    return copy;
  }

  /** Describes each module with its parameters and, where an input is given, the shape of its output. */
  summary(input?: Tensor): string {
    return summarize(this, input);
  }

  /**
   * Frees parameters, their gradients and buffers now. The module and its children refuse all use from then on. A child of a
   * native module gives up its handles only: the memory stays its parent's.
   */
  dispose(): void {
    if (this.#disposed) return;
    for (const value of [...this.parameters(), ...this.buffers()]) value.dispose();
    for (const module of this.modules()) module.release();
  }

  /** @internal */
  release(): void {
    this.#disposed = true;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return describeModule(this);
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
