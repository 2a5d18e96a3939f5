import { Tensor } from '../tensor/tensor';

/** Tells whether a value can be read as a list; a string is none, and neither is a tensor. */
export function isIterable(value: unknown): value is Iterable<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof Tensor) &&
    Symbol.iterator in value &&
    typeof value[Symbol.iterator] === 'function'
  );
}
