import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { randperm, tensor } from '../tensor/create';
import { Generator } from '../tensor/generator';
import { tidy } from '../tensor/scope';
import { checkTensor, type Tensor } from '../tensor/tensor';

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
  /** Is applied to each batch. */
  readonly transform?: BatchTransform;
}

const optionNames = ['bs', 'shuffle', 'dropLast', 'seed', 'generator', 'transform'];

function countItems([x, y]: TensorPair): number {
  const [items = 0] = checkTensor('DataLoader', x).shape;
  const [targets = 0] = checkTensor('DataLoader', y).shape;
  if (items > 0 && items === targets) return items;
  throw new ArgumentError(
    `DataLoader: expected as many inputs as targets, at least one, along the first dimension, got ${items} and ${targets}`,
  );
}

/**
 * Cuts tensors into batches along their first dimension. Each iteration is an epoch; a batch's tensors are new ones and
 * belong to the scope in which they are asked for. The loader needs its tensors for as long as it is used.
 *
 * @example
 * ```ts
 * const train = new DataLoader([x, y], { bs: 64, shuffle: true, seed: 42 });
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
  readonly #transform: BatchTransform | undefined;

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
    this.items = countItems(tensors);
    this.bs = bs;
    this.shuffle = shuffle;
    this.dropLast = dropLast;
    this.generator = generator ?? (seed === undefined ? undefined : new Generator({ seed }));
    this.#tensors = tensors;
    this.#transform = transform;
  }

  /** The number of batches. */
  get length(): number {
    return this.dropLast ? Math.floor(this.items / this.bs) : Math.ceil(this.items / this.bs);
  }

  *[Symbol.iterator](): IterableIterator<TensorPair> {
    const order = this.#order();
    const end = this.length * this.bs;
    for (let start = 0; start < end; start += this.bs) {
      yield tidy(() => this.#collate(order.subarray(start, start + this.bs)));
    }
  }

  // Numbers, not a tensor: it must outlive the batches' scopes.
  #order(): BigInt64Array {
    if (!this.shuffle) return BigInt64Array.from({ length: this.items }, (_, i) => BigInt(i));
    const { generator } = this;
    return tidy(() =>
      BigInt64Array.from(randperm(this.items, generator ? { generator } : {}).data(), BigInt),
    );
  }

  #collate(indices: BigInt64Array): TensorPair {
    const index = tensor(indices);
    const [x, y] = this.#tensors;
    const batch: TensorPair = [x.indexSelect(0, index), y.indexSelect(0, index)];
    return this.#transform ? this.#transform(...batch) : batch;
  }
}
