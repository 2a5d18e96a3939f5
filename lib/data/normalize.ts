import { tensor } from '../tensor/create';
import type { Device } from '../tensor/dtype';
import { keep } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
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
  // Once for each device: a copy to a GPU in each batch would be waited for.
  const known = new Map<Device, readonly [mean: Tensor, std: Tensor]>();
  const onDevice = (device: Device): readonly [mean: Tensor, std: Tensor] => {
    const perChannel = (values: readonly number[]): Tensor =>
      keep(tensor(values, { device }).view([1, -1, 1, 1]));
    const made = known.get(device) ?? [perChannel(mean), perChannel(std)];
    known.set(device, made);
    return made;
  };
  return (x, y) => {
    const [means, deviations] = onDevice(x.device);
    return [x.float().div_(255).sub_(means).div_(deviations), y];
  };
}
