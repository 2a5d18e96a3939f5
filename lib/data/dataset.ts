import { inspect } from 'node:util';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ArgumentError } from '../internal/errors';
import type { Tensor } from '../tensor/tensor';

/** Images and their classes. */
export interface LabelledImages {
  /** uint8 `[N, channels, height, width]`. */
  readonly x: Tensor;
  /** int64 `[N]`. */
  readonly y: Tensor;
}

/** What a data set is trained and measured on. */
export interface ImageDataset {
  readonly train: LabelledImages;
  readonly valid: LabelledImages;
  /** The names of the classes, by their number. */
  readonly classes: readonly string[];
  /** The mean of each channel of the training images, where bytes are from 0 to 1. */
  readonly mean: readonly number[];
  /** The standard deviation of each channel, likewise. */
  readonly std: readonly number[];
}

/** How much of a data set to read. */
export interface DatasetOptions {
  /** The number of training images, the first ones of the set; all where it isn't given. */
  readonly limit?: number;
  /** The number of validation images, likewise. */
  readonly validLimit?: number;
}

/** The names of `DatasetOptions`. */
export const datasetOptionNames = ['limit', 'validLimit'];

/** Returns how many of `available` images to read. */
export function countOf(where: string, limit: number | undefined, available: number): number {
  if (limit === undefined) return available;
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= available) return limit;
  throw new ArgumentError(
    `${where}: expected a number of images from 1 to ${available}, got ${inspect(limit)}`,
  );
}

/**
 * Returns the folder of an npm package that holds a data set: of the program that runs, or of this package.
 *
 * @throws ArgumentError when it isn't installed, with the command that does it.
 */
export function packageFolder(where: string, name: string): string {
  for (const from of [join(process.cwd(), 'package.json'), __filename]) {
    try {
      return dirname(createRequire(from).resolve(`${name}/package.json`));
    } catch {
      // The next place may have it.
    }
  }
  throw new ArgumentError(
    `${where}: the images are in the npm package '${name}', which is not installed: run "npm install ${name}"`,
  );
}
