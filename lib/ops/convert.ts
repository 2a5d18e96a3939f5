import { Generator } from '../tensor/generator';
import { Tensor } from '../tensor/tensor';
import { isHandle } from '../internal/handle';
import type { SchemaType } from './schema';

function isInteger(value: unknown): boolean {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value));
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint';
}

function acceptsElement(base: string, value: unknown): boolean {
  switch (base) {
    case 'Tensor':
      return value instanceof Tensor;
    case 'Scalar':
      return isNumber(value) || typeof value === 'boolean';
    case 'int':
      return isInteger(value);
    case 'float':
      return isNumber(value);
    case 'bool':
      return typeof value === 'boolean';
    case 'Generator':
      return value instanceof Generator;
    default:
      return typeof value === 'string'; // str, and the types whose values have names: ScalarType, Device, ...
  }
}

/** Tells whether an argument of type `type` takes `value`. */
export function accepts(type: SchemaType, value: unknown): boolean {
  if (value === undefined || value === null) return type.optional;
  if (!type.list) return acceptsElement(type.base, value);
  if (!Array.isArray(value)) return type.size !== undefined && acceptsElement(type.base, value);
  return value.every(
    (item) =>
      acceptsElement(type.base, item) ||
      (type.elementOptional && (item === null || item === undefined)),
  );
}

/** Turns tensors and generators, also inside lists, into the handles that the addon takes. */
export function toNative(value: unknown): unknown {
  if (value instanceof Tensor) return Tensor.handleOf(value);
  if (Array.isArray(value)) return value.map(toNative);
  return value instanceof Generator ? Generator.handleOf(value) : value;
}

/** Turns one result of the addon into what users get; lists are made anew, in the caller's realm. */
export function fromNative(value: unknown, type: SchemaType): unknown {
  if (Array.isArray(value)) return Array.from(value, (item) => fromNative(item, type));
  if (type.base === 'Tensor' && isHandle(value)) return new Tensor(value);
  return value;
}

const deepest = 3;

/** Names a value for an error message: `Tensor float32[2, 3]`, `'abc'`, `[1, 2]`. */
export function describe(value: unknown, depth = 0): string {
  if (value instanceof Tensor)
    return value.isDisposed
      ? 'a disposed Tensor'
      : `Tensor ${value.dtype}[${value.shape.join(', ')}]`;
  if (Array.isArray(value)) {
    if (depth === deepest) return '[...]'; // it may hold itself
    const items = value.slice(0, 8).map((item) => describe(item, depth + 1));
    return `[${items.join(', ')}${value.length > 8 ? ', ...' : ''}]`;
  }
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
