import { tensor, type DType, type Tensor } from '../../lib/index';

/** A tensor as the golden scripts write it. */
export interface Encoded {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: readonly (number | boolean | string)[];
}

const isEncoded = (value: unknown): value is Encoded =>
  typeof value === 'object' && value !== null && 'dtype' in value;

/** Makes a tensor of what a golden script wrote. */
export function decodeTensor({ data, dtype, shape }: Encoded): Tensor {
  return tensor(data.map(Number), { dtype }).reshape(shape);
}

/** Makes tensors of what a golden script wrote, also of those in lists; passes all else on. */
export function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode);
  return isEncoded(value) ? decodeTensor(value) : value;
}
