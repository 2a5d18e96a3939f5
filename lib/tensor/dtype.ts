import { ArgumentError } from '../internal/errors';
import type { DType, TypedArray } from '../internal/native';

export type { Device, DType } from '../internal/native';

/** A number as operators take it: a bigint or a safe integer is an integer, any other number a double. */
export type Scalar = number | bigint | boolean;

type ArrayMaker = new (length: number) => TypedArray;

// bool is read as bytes, the half types as float32.
const arrays: Readonly<Record<DType, ArrayMaker | undefined>> = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Float32Array,
  bfloat16: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
  complex64: undefined,
  complex128: undefined,
};

/** Tells whether `name` is a dtype. */
export function isDType(name: unknown): name is DType {
  return typeof name === 'string' && Object.hasOwn(arrays, name);
}

/** Makes an empty TypedArray that holds `length` elements of `dtype`. */
export function arrayFor(dtype: DType, length: number): TypedArray {
  const Maker = arrays[dtype];
  if (!Maker) throw new ArgumentError(`data: ${dtype} has no TypedArray; use viewAsReal() first`);
  return new Maker(length);
}

/** Returns the dtype whose elements a TypedArray holds; refuses kinds that libtorch has no dtype for. */
export function dtypeOf(array: TypedArray): DType {
  // By tag, since an array of another realm is no instance of ours: "[object BigInt64Array]".
  const kind = Object.prototype.toString.call(array).slice(8, -6);
  const name = kind.replace(/^Big|Clamped$/, '').toLowerCase();
  if (!isDType(name))
    throw new ArgumentError(`tensor: a ${kind}Array is not supported; copy it to another kind`);
  return name;
}
