import { ArgumentError } from '../internal/errors';
import { Parameter } from '../tensor/parameter';
import { keep } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';

/** What copies itself with all that it holds: a module. */
interface Copyable {
  copyWith(copies: Copies): unknown;
}

function isCopyable(value: unknown): value is Copyable {
  return typeof value === 'object' && value !== null && 'copyWith' in value;
}

/** Tells whether a value is of the class of another. */
export function isLike<T extends object>(like: T, value: unknown): value is T {
  return value instanceof like.constructor;
}

/** The copies that one `clone` makes: what is used in two places of the original is so in the copy. */
export class Copies {
  readonly #made = new Map<unknown, unknown>();
  /** Native copies that still lack what a subclass adds. */
  readonly native = new Map<unknown, unknown>();

  has(original: unknown): boolean {
    return this.#made.has(original);
  }

  add(original: unknown, copy: unknown): void {
    this.#made.set(original, copy);
  }

  /** Copies modules and tensors, once each; anything else is passed on. */
  of(value: unknown): unknown {
    if (this.#made.has(value)) return this.#made.get(value);
    const copy = this.#copy(value);
    this.add(value, copy);
    return copy;
  }

  #copy(value: unknown): unknown {
    if (isCopyable(value)) return value.copyWith(this);
    if (!(value instanceof Tensor)) return value;
    const data = value.detach().to({ copy: true });
    if (!(value instanceof Parameter)) return keep(data);
    const parameter = new Parameter(data, { requiresGrad: value.requiresGrad });
    data.dispose();
    return parameter;
  }

  /** Copies one module. */
  module<T extends object>(original: T): T {
    const copy = this.of(original);
    if (isLike(original, copy)) return copy;
    throw new ArgumentError(`clone: expected a copy of a ${original.constructor.name}`);
  }

  /** Gives `copy` the properties of `original`. */
  assign(original: object, copy: object): void {
    for (const [key, value] of Object.entries(original)) {
      if (typeof value === 'function') {
        throw new ArgumentError(
          `clone: expected properties that can be copied, got the function '${key}', which would go on using the original; make it a method, or override clone()`,
        );
      }
      Object.assign(copy, { [key]: this.of(value) });
    }
  }
}
