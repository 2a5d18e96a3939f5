import { inspect, types } from 'node:util';
import { checkFunction } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { native } from '../internal/binding';

let current: Scope | undefined;

/** @internal Makes `scope` the innermost one and returns the one before; for `run` and the tests' own root scope. */
export function enterScope(scope: Scope | undefined): Scope | undefined {
  const before = current;
  current = scope;
  return before;
}

/** What a scope can own: made inside it, freed with it. */
export abstract class Scoped {
  #owner: Scope | undefined;

  constructor() {
    current?.adopt(this);
  }

  /** Frees the native memory now; the object refuses all use from then on. Calling it twice does nothing. */
  abstract dispose(): void;

  abstract get isDisposed(): boolean;

  /** @internal */
  static ownerOf(value: Scoped): Scope | undefined {
    return value.#owner;
  }

  /** @internal */
  static setOwner(value: Scoped, scope: Scope | undefined): void {
    value.#owner = scope;
  }
}

/**
 * Owns the tensors that are made while it runs, until `dispose()` frees them all. For code that can't use `tidy`
 * because it awaits between two synchronous stretches: run each stretch in the same scope, await outside it.
 *
 * @example
 * ```ts
 * const scope = new Scope();
 * const x = scope.run(() => rand([2, 3]));
 * await later();
 * scope.run(() => x.mul(2).sum());
 * scope.dispose();
 * ```
 */
export class Scope {
  #tensors: Scoped[] = [];
  #compactAt = 1024;

  /** Takes a tensor over from the scope that owns it, if any. */
  adopt(tensor: Scoped): void {
    if (!(tensor instanceof Scoped)) {
      throw new ArgumentError(
        `Scope.adopt: expected a Tensor, got ${inspect(tensor, { depth: 0 })}`,
      );
    }
    if (this.#tensors.length >= this.#compactAt) this.#compact();
    Scoped.setOwner(tensor, this);
    this.#tensors.push(tensor);
  }

  // Those that were disposed or kept meanwhile must not pile up in a scope that runs for long.
  #compact(): void {
    this.#tensors = this.#tensors.filter(
      (each) => Scoped.ownerOf(each) === this && !each.isDisposed,
    );
    this.#compactAt = Math.max(1024, 2 * this.#tensors.length);
  }

  /** Runs a synchronous function; every tensor that it makes belongs to this scope. */
  run<T>(body: () => T): T {
    checkFunction('Scope.run', body);
    const outer = enterScope(this);
    try {
      return refusePromise('Scope.run', body());
    } finally {
      enterScope(outer);
    }
  }

  /** How many tensors it holds on to, those among them that were freed or kept meanwhile. */
  get size(): number {
    return this.#tensors.length;
  }

  /** Frees every tensor that still belongs to this scope. The scope can run again afterwards. */
  dispose(): void {
    for (const tensor of this.#tensors.splice(0)) {
      if (Scoped.ownerOf(tensor) === this) tensor.dispose();
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Passes a value on, unless it is a promise: scopes and grad modes end before a promise would go on. */
export function refusePromise<T>(where: string, value: T): T {
  if (types.isPromise(value)) {
    value.catch(() => undefined); // its own failure must not end the process as well
    throw new ArgumentError(
      `${where}: expected a synchronous function, got one that returns a promise; await outside it`,
    );
  }
  return value;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function forEachTensor(
  value: unknown,
  visit: (tensor: Scoped) => void,
  seen = new Set<unknown>(),
): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  if (value instanceof Scoped) visit(value);
  else if (Array.isArray(value)) for (const item of value) forEachTensor(item, visit, seen);
  else if (isPlain(value))
    for (const item of Object.values(value)) forEachTensor(item, visit, seen);
}

/**
 * Runs `body` and frees every tensor that was made inside, but those in its result (a tensor, or arrays and plain
 * objects of them), which go to the scope around it, and those that were kept.
 *
 * @throws ArgumentError when `body` returns a promise.
 * @example
 * ```ts
 * const y = tidy(() => x.mul(2).add(1)); // the product is freed, the sum is not
 * ```
 */
export function tidy<T>(body: () => T): T {
  checkFunction('tidy', body);
  const outer = current;
  const scope = new Scope();
  try {
    const result = scope.run(() => refusePromise('tidy', body()));
    forEachTensor(result, (tensor) => {
      if (Scoped.ownerOf(tensor) !== scope) return;
      if (outer) outer.adopt(tensor);
      else Scoped.setOwner(tensor, undefined);
    });
    return result;
  } finally {
    scope.dispose();
  }
}

/**
 * Takes tensors out of whatever scope they belong to: they live until `dispose()` or until nothing refers to them.
 *
 * @param value a tensor, or arrays and plain objects of them.
 * @returns `value`.
 */
export function keep<T>(value: T): T {
  forEachTensor(value, (tensor) => {
    Scoped.setOwner(tensor, undefined);
  });
  return value;
}

const counters = new Float64Array(2);

/** Returns the live tensor handles of this thread, and the bytes that libtorch's CPU allocator has given out. */
export function memory(): { tensors: number; bytes: number } {
  native.memory(counters);
  return { tensors: counters[0] ?? 0, bytes: counters[1] ?? 0 };
}
