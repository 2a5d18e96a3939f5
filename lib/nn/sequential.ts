import { inspect } from 'node:util';
import { checkNumbers } from '../internal/check';
import { construct } from '../internal/construct';
import { ArgumentError } from '../internal/errors';
import { checkTensor, type Tensor } from '../tensor/tensor';
import type { Copies } from './clone';
import { Module, type Named } from './module';

/** A list of modules named `0`, `1`, `2`, ... that somebody else runs. */
export class ModuleList<T extends Module = Module> extends Module {
  readonly #modules: T[] = [];

  constructor(modules: Iterable<T> = []) {
    super();
    if (!isList(modules)) {
      throw new ArgumentError(
        `${this.constructor.name}: expected modules, got ${inspect(modules, { depth: 0 })}`,
      );
    }
    for (const module of modules) this.push(module);
  }

  push(module: T): this {
    if (!(module instanceof Module)) {
      throw new ArgumentError(
        `${this.constructor.name}: expected a Module, got ${inspect(module, { depth: 0 })}`,
      );
    }
    this.#modules.push(module);
    return this;
  }

  get length(): number {
    return this.#modules.length;
  }

  /** The module at `index`; negative ones count from the end. */
  at(index: number): T | undefined {
    checkNumbers('at', { index });
    return this.#modules.at(index);
  }

  override namedChildren(): Named<T>[] {
    return this.#modules.map((module, index) => [String(index), module]);
  }

  override forward(..._inputs: Tensor[]): Tensor {
    throw new ArgumentError(
      `${this.constructor.name}.forward: a list of modules has none; run its modules yourself, or use nn.Sequential`,
    );
  }

  override copyWith(copies: Copies): this {
    const copy = super.copyWith(copies);
    for (const module of this.#modules) copy.push(copies.module(module));
    return copy;
  }

  override copyBare(_copies: Copies): this {
    const copy = construct<this>(ModuleList, [], this);
    copy.setTraining(this.training);
    return copy;
  }

  *[Symbol.iterator](): Iterator<T> {
    yield* this.#modules;
  }
}

function isList(given: unknown): given is Iterable<Module> {
  if (given instanceof Module || typeof given !== 'object' || given === null) return false;
  return Symbol.iterator in given && typeof given[Symbol.iterator] === 'function';
}

/**
 * Runs modules one after the other, native and TypeScript ones alike.
 *
 * @example
 * ```ts
 * const net = new nn.Sequential(new nn.Flatten(), new nn.Linear(784, 10));
 * ```
 */
export class Sequential extends ModuleList {
  constructor(...modules: (Module | Iterable<Module>)[]) {
    super(modules.flatMap((module) => (isList(module) ? [...module] : [module])));
  }

  override forward(input: Tensor): Tensor {
    let x = checkTensor('Sequential.forward', input);
    for (const module of this) x = module.forward(x);
    return x;
  }
}
