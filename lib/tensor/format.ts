import { ArgumentError } from '../internal/errors';
import type { TypedArray } from '../internal/native';
import type { DType } from './dtype';

/** Numbers, or booleans, nested as deep as a tensor has dimensions. */
export type NestedArray = number | boolean | NestedArray[];

function plain(value: number | bigint, dtype: DType): number | boolean {
  if (dtype === 'bool') return value !== 0;
  if (typeof value === 'number') return value;
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new ArgumentError(
    `toArray: ${value} is outside the safe integers; data() gives it as a bigint`,
  );
}

/** Nests row-major elements by `shape`. */
export function nest(data: TypedArray, shape: readonly number[], dtype: DType): NestedArray {
  let next = 0;
  const level = (depth: number): NestedArray => {
    const size = shape[depth];
    if (size === undefined) return plain(data[next++] ?? 0, dtype);
    return Array.from({ length: size }, () => level(depth + 1));
  };
  return level(0);
}

interface Printable {
  readonly shape: number[];
  readonly dtype: DType;
  readonly device: string;
  readonly numel: number;
  readonly requiresGrad: boolean;
  data(): TypedArray;
}

const edge = 3;

function element(value: number | bigint, dtype: DType): string {
  if (dtype === 'bool') return String(value !== 0);
  if (typeof value === 'bigint' || Number.isInteger(value) || !Number.isFinite(value))
    return String(value);
  const magnitude = Math.abs(value);
  return magnitude >= 1e-4 && magnitude < 1e5
    ? String(Number(value.toFixed(4)))
    : value.toExponential(4);
}

/** Writes a tensor as `tensor([[1, 2], [3, 4]], float32)`; the middle of those over `longest` elements is left out. */
export function formatTensor(tensor: Printable, longest = 1000): string {
  const { shape, dtype, device } = tensor;
  const notes: string[] = [dtype];
  if (device !== 'cpu') notes.push(device);
  if (tensor.requiresGrad) notes.push('requiresGrad');
  if (tensor.numel === 0) return `tensor([], shape [${shape.join(', ')}], ${notes.join(', ')})`;
  if (dtype.startsWith('complex'))
    return `tensor(shape [${shape.join(', ')}], ${notes.join(', ')})`;

  const data = tensor.data();
  const shorten = tensor.numel > longest;
  const level = (depth: number, start: number, count: number): string => {
    const size = shape[depth];
    if (size === undefined) return element(data[start] ?? 0, dtype);
    const step = count / size;
    const parts: string[] = [];
    for (let i = 0; i < size; i++) {
      if (shorten && size > 2 * edge && i === edge) {
        parts.push('...');
        i = size - edge;
      }
      parts.push(level(depth + 1, start + i * step, step));
    }
    const inner = shape.length - depth - 1;
    return `[${parts.join(inner === 0 ? ', ' : `,${'\n'.repeat(inner)}${' '.repeat(depth + 8)}`)}]`;
  };
  return `tensor(${level(0, 0, tensor.numel)}, ${notes.join(', ')})`;
}
