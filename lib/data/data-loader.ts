import { inspect } from 'node:util';
import { checkFlags, checkFunction } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { arange, randperm } from '../tensor/create';
import { checkGenerator, Generator } from '../tensor/generator';
import { keep, tidy } from '../tensor/scope';
import { checkTensor, type Tensor } from '../tensor/tensor';
import type { Device } from '../tensor/dtype';

/** Inputs and targets, each of `[items, ...]`. */
export type TensorPair = readonly [x: Tensor, y: Tensor];

/** Changes a whole batch, such as bytes into normalised floats; what it makes on the way is freed. */
export type BatchTransform = (x: Tensor, y: Tensor) => TensorPair;

/** The options of `DataLoader`. */
export interface DataLoaderOptions {
  /** The batch size, from 1; 64 where it isn't given. */
  readonly bs?: number;
  /** Draws another order for each epoch. */
  readonly shuffle?: boolean;
  /** Leaves out a last batch of fewer than `bs` items. */
  readonly dropLast?: boolean;
  /** Where the orders begin: the same seed gives the same epochs. Without it, `manualSeed` decides. */
  readonly seed?: number;
  /** The stream to draw orders from, instead of one made of `seed`. */
  readonly generator?: Generator;
  /** Is applied to each batch; several in their order. */
  readonly transform?: BatchTransform | readonly BatchTransform[];
}

const optionNames = ['bs', 'shuffle', 'dropLast', 'seed', 'generator', 'transform'];

function countItems(tensors: TensorPair): number {
  const given: unknown = tensors;
  if (!Array.isArray(given)) {
    throw new ArgumentError(
      `DataLoader: expected [x, y], inputs and targets, got ${inspect(given, { depth: 0 })}`,
    );
  }
  const [x, y] = tensors;
  const [items = 0] = checkTensor('DataLoader', x).shape;
  const [targets = 0] = checkTensor('DataLoader', y).shape;
  if (items > 0 && items === targets) return items;
  throw new ArgumentError(
    `DataLoader: expected as many inputs as targets, at least one, along the first dimension, got ${items} and ${targets}`,
  );
}

/**
 * Cuts tensors into batches along their first dimension. Each iteration is an epoch; a batch's tensors are new ones and
 * belong to the scope in which they are asked for. The loader needs its tensors for as long as it is used. It works where
 * they are: a small set is put on a GPU as a whole, and cut, augmented and normalised there.
 *
 * @example
 * ```ts
 * const train = new DataLoader([x, y], { bs: 64, shuffle: true, seed: 42, transform: randomFlip() });
 * for (const [xb, yb] of train) model.forward(xb);
 * ```
 */
export class DataLoader {
  readonly bs: number;
  readonly shuffle: boolean;
  readonly dropLast: boolean;
  /** The number of items. */
  readonly items: number;
  /** The stream that orders come from; undefined for the default one. */
  readonly generator: Generator | undefined;
  readonly #tensors: TensorPair;
  readonly #transforms: readonly BatchTransform[];

  /** @throws UnknownOptionError for an option that it doesn't take; ArgumentError when sizes don't fit. */
  constructor(tensors: TensorPair, options: DataLoaderOptions = {}) {
    checkOptions('DataLoader', options, optionNames, {
      batchSize: 'bs',
      batch_size: 'bs',
      drop_last: 'dropLast',
    });
    const { bs = 64, shuffle = false, dropLast = false, seed, generator, transform } = options;
    if (!Number.isSafeInteger(bs) || bs < 1) {
      throw new ArgumentError(`DataLoader: expected a batch size bs from 1 up, got ${inspect(bs)}`);
    }
    checkFlags('DataLoader', options, ['shuffle', 'dropLast']);
    checkGenerator('DataLoader', generator);
    const transforms: readonly BatchTransform[] = [transform ?? []].flat();
    for (const each of transforms) checkFunction('DataLoader: transform', each);
    this.items = countItems(tensors);
    this.bs = bs;
    this.shuffle = shuffle;
    this.dropLast = dropLast;
    this.generator = generator ?? (seed === undefined ? undefined : new Generator({ seed }));
    this.#tensors = tensors;
    this.#transforms = transforms;
  }

  /** The number of batches. */
  get length(): number {
    return this.dropLast ? Math.floor(this.items / this.bs) : Math.ceil(this.items / this.bs);
  }

  *[Symbol.iterator](): IterableIterator<TensorPair> {
    // It outlives the batches' scopes, and goes to a GPU as a whole: a copy in each batch would be waited for.
    const order = keep(tidy(() => this.#order()));
    try {
      for (let i = 0; i < this.length; i++) {
        const start = i * this.bs;
        const items = Math.min(this.bs, this.items - start);
        yield tidy(() => this.#collate(order.narrow(0, start, items)));
      }
    } finally {
      order.dispose();
    }
  }

  // Drawn on the CPU: the same seed gives the same epochs on every device.
  #order(): Tensor {
    const { generator, items } = this;
    if (!this.shuffle) return arange(items, { dtype: 'int64', device: this.device });
    return randperm(items, generator ? { generator } : { device: 'cpu' }).to(this.device);
  }

  /** Where the inputs are, and batches are made. */
  get device(): Device {
    return this.#tensors[0].device;
  }

  #collate(index: Tensor): TensorPair {
    const [x, y] = this.#tensors;
    const cut: TensorPair = [x.indexSelect(0, index), y.indexSelect(0, index.to(y.device))];
    return this.#transforms.reduce((batch, transform) => transform(...batch), cut);
  }
}
