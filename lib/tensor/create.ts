import { inspect, types } from 'node:util';
import { native } from '../internal/binding';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import type { TensorHandle, TypedArray } from '../internal/native';
import { rawOp } from '../internal/op';
import { dtypeOf, type Device, type DType, type Scalar } from './dtype';
import { checkGenerator, Generator } from './generator';
import { Tensor } from './tensor';

/** What every function that makes a tensor takes. */
export interface TensorOptions {
  readonly dtype?: DType;
  /** Where it lives; see `setDefaultDevice`. */
  readonly device?: Device;
  readonly requiresGrad?: boolean;
  /** Puts a tensor of the CPU into pinned memory; see `Tensor.pinMemory`. */
  readonly pinMemory?: boolean;
}

/** What functions that make random tensors take. */
export interface RandomOptions extends TensorOptions {
  /** The stream to draw from; the default one, which `manualSeed` seeds, where it isn't given. */
  readonly generator?: Generator;
}

/** What `tensor` makes a tensor of. */
export type TensorLike = Scalar | TypedArray | Tensor | readonly TensorLike[];

/** A shape; one number stands for one dimension. */
export type Shape = number | readonly number[];

const optionNames = ['dtype', 'device', 'requiresGrad', 'pinMemory'];

function isTypedArray(value: unknown): value is TypedArray {
  return types.isTypedArray(value);
}

// ---- from data ----

// As many dimensions as libtorch's operators take.
const deepest = 64;

// The shape by the first element of each level; `flatten` finds out what does not fit it.
function shapeOf(data: unknown): number[] {
  const shape: number[] = [];
  let level = data;
  for (;;) {
    if (isTypedArray(level)) return [...shape, level.length];
    if (!Array.isArray(level)) return shape;
    if (shape.length === deepest) {
      throw new ArgumentError(
        `tensor: expected arrays nested at most ${deepest} deep, got deeper ones, or one that holds itself`,
      );
    }
    shape.push(level.length);
    level = level[0];
  }
}

function flatten(data: unknown, shape: readonly number[], depth: number, into: unknown[]): void {
  const size = shape[depth];
  const fits =
    Array.isArray(data) || isTypedArray(data) ? data.length === size : size === undefined;
  if (!fits) {
    const got =
      Array.isArray(data) || isTypedArray(data)
        ? `${data.length} values`
        : inspect(data, { depth: 0 });
    const wanted = size === undefined ? 'a number' : `${size} values`;
    throw new ArgumentError(
      `tensor: expected ${wanted} at depth ${depth}, as in the first element there, got ${got}; all rows must be of one length`,
    );
  }
  if (size === undefined) into.push(data);
  else if (isTypedArray(data)) for (const value of data) into.push(value);
  else if (Array.isArray(data)) for (const item of data) flatten(item, shape, depth + 1, into);
}

// Numbers go through float64, which holds every float32 and every safe integer.
function pack(values: readonly unknown[]): { array: TypedArray; dtype: DType } {
  const kinds = new Set(values.map((value) => typeof value));
  if (kinds.size === 1 && kinds.has('bigint')) {
    const bigints = values.filter((value) => typeof value === 'bigint');
    const large = bigints.find((value) => BigInt.asIntN(64, value) !== value);
    if (large !== undefined) {
      throw new ArgumentError(`tensor: expected bigints of 64 bits, got ${large}`);
    }
    return { array: BigInt64Array.from(bigints), dtype: 'int64' };
  }
  if (kinds.size === 1 && kinds.has('boolean'))
    return { array: Uint8Array.from(values, Number), dtype: 'bool' };
  const at = values.findIndex((value) => typeof value !== 'number' && typeof value !== 'boolean');
  if (at >= 0) {
    const wrong = values[at];
    const mixed = typeof wrong === 'bigint' ? "; bigints can't be mixed with numbers" : '';
    throw new ArgumentError(
      `tensor: expected numbers, got ${inspect(wrong, { depth: 0 })}${mixed}`,
    );
  }
  return { array: Float64Array.from(values, Number), dtype: 'float32' };
}

// What does not fit would wrap round, or be undefined in C++.
function checkRange(array: TypedArray, dtype: DType): void {
  const bits = /^(u?)int(\d+)$/.exec(dtype);
  if (!bits) return;
  const width = 2 ** (Number(bits[2]) - (bits[1] ? 0 : 1));
  const least = bits[1] ? 0 : -width;
  for (const value of array) {
    if (value >= least && value < width) continue;
    throw new ArgumentError(`tensor: expected numbers that ${dtype} can hold, got ${value}`);
  }
}

function finish(handle: TensorHandle, { requiresGrad, pinMemory }: TensorOptions): Tensor {
  let result = new Tensor(handle);
  if (pinMemory) {
    const pinned = result.pinMemory();
    result.dispose();
    result = pinned;
  }
  if (requiresGrad) result.requiresGrad = true;
  return result;
}

/**
 * Makes a tensor that holds a copy of `data`. Without a dtype, numbers give float32, bigints int64, booleans bool, and
 * a TypedArray its own.
 *
 * @param data a number, nested arrays of them, a TypedArray, or a tensor (its values, detached).
 * @throws ArgumentError for rows of different lengths and for what is not a number.
 * @example
 * ```ts
 * tensor([[1, 2], [3, 4]]).shape; // [2, 2]
 * tensor(new Uint8Array([1, 2])).dtype; // 'uint8'
 * tensor([1n, 2n]).dtype; // 'int64'
 * ```
 */
export function tensor(data: TensorLike, options: TensorOptions = {}): Tensor {
  checkOptions('tensor', options, optionNames);
  const { dtype: wanted, device } = options;
  if (data instanceof Tensor) {
    const where = device ?? native.defaultDevice();
    const copy = data.to({
      copy: true,
      ...(wanted && { dtype: wanted }),
      ...(where && { device: where }),
    });
    const handle = detach(Tensor.handleOf(copy));
    copy.dispose();
    return finish(handle, options);
  }
  if (isTypedArray(data)) {
    const handle = native.fromData(data, [data.length], wanted ?? dtypeOf(data), device);
    return finish(handle, options);
  }
  const shape = shapeOf(data);
  const values: unknown[] = [];
  flatten(data, shape, 0, values);
  const { array, dtype } = pack(values);
  if (wanted) checkRange(array, wanted);
  return finish(native.fromData(array, shape, wanted ?? dtype, device), options);
}

Tensor.from = tensor;

// ---- filled ----

const detach = rawOp('detach', '', ['self']);
const factoryNames = ['dtype', 'device', 'pin_memory'] as const;
const randomNames = ['generator', ...factoryNames] as const;

function isShape(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function shapeList(where: string, shape: Shape): readonly number[] {
  const list = typeof shape === 'number' ? [shape] : shape;
  if (isShape(list)) return list;
  throw new ArgumentError(
    `${where}: expected a shape of whole numbers from 0 up, got ${inspect(shape)}`,
  );
}

function made(handle: TensorHandle, options: TensorOptions): Tensor {
  const result = new Tensor(handle);
  if (options.requiresGrad) result.requiresGrad = true;
  return result;
}

function filled(name: string): (shape: Shape, options?: TensorOptions) => Tensor {
  const call = rawOp(name, name === 'empty' ? 'memory_format' : '', ['size', ...factoryNames]);
  return (shape, options = {}) => {
    checkOptions(name, options, optionNames);
    return made(call(shapeList(name, shape), ...factoryValues(options)), options);
  };
}

function random(name: string): (shape: Shape, options?: RandomOptions) => Tensor {
  const call = rawOp(name, 'generator', ['size', ...randomNames]);
  return (shape, options = {}) => {
    checkOptions(name, options, [...optionNames, 'generator']);
    return made(
      call(shapeList(name, shape), generatorOf(name, options), ...factoryValues(options)),
      options,
    );
  };
}

// In the order of `factoryNames`. A generator draws for its own device, whatever the default one is.
function factoryValues(options: RandomOptions, dtype?: DType): readonly unknown[] {
  const { device = options.generator?.device, pinMemory } = options;
  return [options.dtype ?? dtype, device, pinMemory];
}

function generatorOf(where: string, { generator }: RandomOptions): unknown {
  checkGenerator(where, generator);
  return generator && Generator.handleOf(generator);
}

/** Makes a tensor of zeros, float32 without a dtype. */
export const zeros = filled('zeros');
/** Makes a tensor of ones, float32 without a dtype. */
export const ones = filled('ones');
/** Makes a tensor whose values are whatever its memory holds. */
export const empty = filled('empty');
/** Makes a tensor of uniform random numbers from [0, 1). */
export const rand = random('rand');
/** Makes a tensor of random numbers from the standard normal distribution. */
export const randn = random('randn');

const callFull = rawOp('full', '', ['size', 'fill_value', ...factoryNames]);
const callArange = rawOp('arange', 'start_step', ['start', 'end', 'step', ...factoryNames]);
const callLinspace = rawOp('linspace', '', ['start', 'end', 'steps', ...factoryNames]);
const callEye = rawOp('eye', 'm', ['n', 'm', ...factoryNames]);
const callRandint = rawOp('randint', 'low_generator', ['low', 'high', 'size', ...randomNames]);
const callRandperm = rawOp('randperm', 'generator', ['n', ...randomNames]);

/** Makes a tensor full of `value`: float32 of a number, bool of a boolean, int64 of a bigint, without a dtype. */
export function full(shape: Shape, value: Scalar, options: TensorOptions = {}): Tensor {
  checkOptions('full', options, optionNames);
  const natural =
    typeof value === 'boolean' ? 'bool' : typeof value === 'bigint' ? 'int64' : 'float32';
  return made(
    callFull(shapeList('full', shape), value, ...factoryValues(options, natural)),
    options,
  );
}

/** The options of `arange`. */
export interface ArangeOptions extends TensorOptions {
  readonly step?: number | bigint;
}

/**
 * Makes `[start, start + step, ...]` up to but without `end`; int64 when all are integers, else float32.
 *
 * @example
 * ```ts
 * arange(3).toArray(); // [0, 1, 2]
 * arange(1, 2, { step: 0.5 }).toArray(); // [1, 1.5]
 * ```
 */
export function arange(end: number | bigint, options?: ArangeOptions): Tensor;
export function arange(
  start: number | bigint,
  end: number | bigint,
  options?: ArangeOptions,
): Tensor;
export function arange(
  first: number | bigint,
  second: number | bigint | ArangeOptions = {},
  last: ArangeOptions = {},
): Tensor {
  const [start, end, options] =
    typeof second === 'object' ? [0, first, second] : [first, second, last];
  checkOptions('arange', options, [...optionNames, 'step']);
  return made(callArange(start, end, options.step, ...factoryValues(options)), options);
}

/** Makes `steps` numbers from `start` to `end`, both included, evenly apart. */
export function linspace(
  start: number,
  end: number,
  steps: number,
  options: TensorOptions = {},
): Tensor {
  checkOptions('linspace', options, optionNames);
  return made(callLinspace(start, end, steps, ...factoryValues(options)), options);
}

/** Makes a matrix `[rows, columns]` with ones on its diagonal. */
export function eye(rows: number, columns = rows, options: TensorOptions = {}): Tensor {
  checkOptions('eye', options, optionNames);
  return made(callEye(rows, columns, ...factoryValues(options)), options);
}

/** Makes a tensor of random integers from `low` up to but without `high`, int64 without a dtype. */
export function randint(
  low: number,
  high: number,
  shape: Shape,
  options: RandomOptions = {},
): Tensor {
  checkOptions('randint', options, [...optionNames, 'generator']);
  const size = shapeList('randint', shape);
  return made(
    callRandint(
      low,
      high,
      size,
      generatorOf('randint', options),
      ...factoryValues(options, 'int64'),
    ),
    options,
  );
}

/** Makes a random permutation of the integers from 0 to `n - 1`, int64 without a dtype. */
export function randperm(n: number, options: RandomOptions = {}): Tensor {
  checkOptions('randperm', options, [...optionNames, 'generator']);
  return made(
    callRandperm(n, generatorOf('randperm', options), ...factoryValues(options, 'int64')),
    options,
  );
}
