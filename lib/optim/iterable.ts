import { Tensor } from '../tensor/tensor';

/** Tells whether a value can be read as a list; a string is none, and neither is a tensor. */
export function isIterable<T>(value: T | Iterable<T>): value is Iterable<T>;
export function isIterable(value: unknown): value is Iterable<unknown>;
export function isIterable(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof Tensor) &&
    Symbol.iterator in value &&
    typeof value[Symbol.iterator] === 'function'
  );
}
