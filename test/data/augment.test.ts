import {
  arange,
  DataLoader,
  Generator,
  normalizeImages,
  ops,
  randint,
  randomCrop,
  randomFlip,
  zeros,
  type BatchTransform,
  type Tensor,
} from '../../lib/index';
import { numbers, thrown } from '../support/tensors';

const labels = (items: number) => arange(items);

/** Images of bytes that are all different. */
function images(items: number, channels = 2, height = 4, width = 5): Tensor {
  const shape = [items, channels, height, width];
  return randint(0, 256, shape, { dtype: 'uint8', generator: new Generator({ seed: 3 }) });
}

const transformed = (transform: BatchTransform, x: Tensor) => transform(x, labels(x.shape[0]!))[0];

test('each image is a window of its mirrored border, all windows come, and channels stay together', () => {
  const x = images(400);
  const padding = 2;
  const moved = transformed(randomCrop(padding, { generator: new Generator({ seed: 1 }) }), x);
  expect([moved.dtype, moved.shape]).toEqual(['uint8', x.shape]);
  const bordered = ops.reflectionPad2d(x.float(), [padding, padding, padding, padding]);
  const counts = new Map<string, number>();
  for (let i = 0; i < 400; i++) {
    const image = numbers(moved.select(0, i)).join();
    for (let down = 0; down <= 2 * padding; down++) {
      for (let right = 0; right <= 2 * padding; right++) {
        const window = bordered.select(0, i).narrow(1, down, 4).narrow(2, right, 5);
        if (numbers(window).join() !== image) continue;
        const place = `${down},${right}`;
        counts.set(place, (counts.get(place) ?? 0) + 1);
      }
    }
  }
  // 25 places; each image at one of them, and each place about 16 times.
  expect(counts.size).toBe(25);
  expect([...counts.values()].reduce((sum, count) => sum + count)).toBe(400);
  expect(Math.min(...counts.values())).toBeGreaterThan(3);
});

test('about a share of the images is mirrored from left to right, the others are as they were', () => {
  const x = images(400);
  const flipped = transformed(randomFlip({ p: 0.25, generator: new Generator({ seed: 1 }) }), x);
  let mirrored = 0;
  for (let i = 0; i < 400; i++) {
    const [before, after] = [x, flipped].map((all) => numbers(all.select(0, i)));
    const mirror = Array.from({ length: 8 }, (_, row) =>
      before!.slice(5 * row, 5 * row + 5).reverse(),
    );
    if (after!.join() === mirror.flat().join()) mirrored++;
    else expect(after).toEqual(before);
  }
  expect(Math.abs(mirrored - 100)).toBeLessThan(30);
  expect(numbers(transformed(randomFlip({ p: 0 }), x))).toEqual(numbers(x));
  expect(numbers(transformed(randomFlip({ p: 1 }), x))).toEqual(numbers(x.flip([3])));
});

test('the same seed gives the same images, and targets pass', () => {
  const loader = () => {
    const generator = new Generator({ seed: 5 });
    const transform = [
      randomCrop(1, { generator }),
      randomFlip({ generator }),
      normalizeImages([0.5, 0.5], [0.25, 0.5]),
    ];
    return new DataLoader([images(6), labels(6)], { bs: 4, transform });
  };
  const epoch = () =>
    [...loader()].map(([x, y]) => ({ dtype: x.dtype, x: numbers(x), y: numbers(y) }));
  const first = epoch();
  expect(epoch()).toEqual(first);
  expect(first.map(({ dtype }) => dtype)).toEqual(['float32', 'float32']);
  expect(first.flatMap(({ y }) => y)).toEqual([0, 1, 2, 3, 4, 5]);
});

test('what does not fit is refused', () => {
  for (const [run, message] of [
    [() => randomCrop(0), 'randomCrop: expected a padding of whole pixels from 1 up, got 0'],
    [() => randomCrop(1.5), 'got 1.5'],
    [
      () => transformed(randomCrop(4), images(1)),
      'randomCrop: expected images of more than 4 pixels, the padding, got 4 x 5',
    ],
    [
      () => transformed(randomCrop(1), zeros([2, 3, 4])),
      'randomCrop: expected images [B, C, H, W], got a tensor of shape [2, 3, 4]',
    ],
    [() => transformed(randomFlip(), zeros([4])), 'randomFlip: expected images'],
    [() => randomFlip({ p: 2 }), 'randomFlip: expected a share p from 0 to 1, got 2'],
    [() => randomFlip({ prob: 1 } as object), "randomFlip: unknown option 'prob'"],
  ] as const) {
    expect(thrown(run).message).toContain(message);
  }
});
