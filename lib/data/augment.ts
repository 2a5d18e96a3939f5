import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { where } from '../ops';
import { arange, rand, randint } from '../tensor/create';
import { checkGenerator, type Generator } from '../tensor/generator';
import type { Tensor } from '../tensor/tensor';
import type { BatchTransform } from './data-loader';

/** The options of `randomCrop`. */
export interface RandomCropOptions {
  /** The stream to draw from, of the images' device; the default one where it isn't given. */
  readonly generator?: Generator;
}

/** The options of `randomFlip`. */
export interface RandomFlipOptions extends RandomCropOptions {
  /** The share of images that are flipped; 0.5 where it isn't given. */
  readonly p?: number;
}

type Sizes = [items: number, channels: number, height: number, width: number];

function sizesOf(name: string, x: Tensor): Sizes {
  const [items, channels, height, width, ...more] = x.shape;
  if (items && channels && height && width && more.length === 0)
    return [items, channels, height, width];
  throw new ArgumentError(
    `${name}: expected images [B, C, H, W], got a tensor of shape [${x.shape.join(', ')}]`,
  );
}

/**
 * Makes a batch transform that moves each image by up to `padding` pixels up or down and left or right, by random numbers of
 * its own. What comes in from outside is the image's own border, mirrored. Any dtype will do, bytes above all.
 *
 * Source: fastai's `RandomCrop` of a padded image, with `PadMode.Reflection`.
 * @param padding less than the height and the width of the images.
 * @example
 * ```ts
 * new DataLoader([x, y], { transform: [randomCrop(4), randomFlip(), normalizeImages(mean, std)] });
 * ```
 */
export function randomCrop(padding: number, options: RandomCropOptions = {}): BatchTransform {
  checkOptions('randomCrop', options, ['generator']);
  checkGenerator('randomCrop', options.generator);
  if (!Number.isSafeInteger(padding) || padding < 1) {
    throw new ArgumentError(
      `randomCrop: expected a padding of whole pixels from 1 up, got ${inspect(padding)}`,
    );
  }
  return (x, y) => {
    const sizes = sizesOf('randomCrop', x);
    const [items, , height, width] = sizes;
    if (padding >= Math.min(height, width)) {
      throw new ArgumentError(
        `randomCrop: expected images of more than ${padding} pixels, the padding, got ${height} x ${width}`,
      );
    }
    // The pixels that come to the places from 0 to `size` of each image: [B, size].
    const sources = (size: number): Tensor => {
      const shift = randint(-padding, padding + 1, [items, 1], { ...options, device: x.device });
      const last = size - 1;
      const mirrored = arange(size, { device: x.device }).add(shift).abs();
      return mirrored.neg().add(last).abs().neg().add(last);
    };
    const rows = sources(height).view([items, 1, height, 1]).expand(sizes);
    const columns = sources(width).view([items, 1, 1, width]).expand(sizes);
    return [x.gather(2, rows).gather(3, columns), y];
  };
}

/**
 * Makes a batch transform that mirrors some images from left to right, each by a random number of its own.
 *
 * Source: fastai's `FlipItem`.
 */
export function randomFlip(options: RandomFlipOptions = {}): BatchTransform {
  checkOptions('randomFlip', options, ['p', 'generator']);
  const { p = 0.5, ...drawn } = options;
  checkGenerator('randomFlip', drawn.generator);
  if (typeof p !== 'number' || !(p >= 0 && p <= 1))
    throw new ArgumentError(`randomFlip: expected a share p from 0 to 1, got ${inspect(p)}`);
  return (x, y) => {
    const [items] = sizesOf('randomFlip', x);
    const flipped = rand([items, 1, 1, 1], { ...drawn, device: x.device }).lt(p);
    return [where(flipped, x.flip([3]), x), y];
  };
}
