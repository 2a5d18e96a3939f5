import { tensor } from '../tensor/create';
import type { BatchTransform } from './data-loader';

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
  return (x, y) => {
    const perChannel = (values: readonly number[]) =>
      tensor(values, { device: x.device }).view([1, -1, 1, 1]);
    return [x.float().div_(255).sub_(perChannel(mean)).div_(perChannel(std)), y];
  };
}
