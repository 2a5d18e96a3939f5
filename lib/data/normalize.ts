import { inspect } from 'node:util';
import { isNumber } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { tensor } from '../tensor/create';
import type { Device } from '../tensor/dtype';
import type { Tensor } from '../tensor/tensor';
import type { BatchTransform } from './data-loader';

// Made for each batch and freed with it, out of pinned memory: a GPU isn't waited for.
function perChannel(values: readonly number[], device: Device): Tensor {
  const pinMemory = device.startsWith('cuda');
  const made = tensor(values, { device: 'cpu', pinMemory }).view([1, -1, 1, 1]);
  return made.to(device, { nonBlocking: true });
}

function checkNumbers(name: string, values: unknown): void {
  if (Array.isArray(values) && values.length > 0 && values.every(isNumber)) return;
  throw new ArgumentError(
    `normalizeImages: expected ${name} of one number for each channel, got ${inspect(values, { depth: 0 })}`,
  );
}

/**
 * Makes a batch transform that turns images of bytes, `[B, C, H, W]`, into float32 with a mean of 0 and a deviation of 1:
 * `(x / 255 - mean) / std` for each channel.
 *
 * @param mean one number for each channel, where bytes are from 0 to 1.
 * @example
 * ```ts
 * new DataLoader([x, y], { transform: normalizeImages([0.1307], [0.3081]) });
 * ```
 */
export function normalizeImages(mean: readonly number[], std: readonly number[]): BatchTransform {
  checkNumbers('mean', mean);
  checkNumbers('std', std);
  if (mean.length !== std.length) {
    throw new ArgumentError(
      `normalizeImages: expected a mean and a std for each channel, got ${mean.length} and ${std.length}`,
    );
  }
  return (x, y) => {
    const [means, deviations] = [perChannel(mean, x.device), perChannel(std, x.device)];
    return [x.float().div_(255).sub_(means).div_(deviations), y];
  };
}
