import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { DataLoader } from './data-loader';
import { checkLoader, type Batch, type Loader } from './types';

/** The options of `prefetch`. */
export interface PrefetchOptions {
  /** How many batches to have ready; 1 where it isn't given. */
  readonly count?: number;
}

/**
 * Makes a loader that asks an asynchronous one for batches before they are needed: it reads files, or waits for a server,
 * while the network computes. The loader must not free or reuse a batch when it is asked for the next one.
 *
 * A synchronous loader gains nothing by it: a `DataLoader` is returned as it is. The way to a GPU needs none: a learner copies ahead by itself.
 *
 * @example
 * ```ts
 * const learn = new Learner({ train: prefetch(fromServer, { count: 2 }) }, model, { lossFunc });
 * ```
 */
export function prefetch(loader: Loader, options: PrefetchOptions = {}): Loader {
  checkOptions('prefetch', options, ['count']);
  const { count = 1 } = options;
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new ArgumentError(
      `prefetch: expected a count of batches from 1 up, got ${inspect(count)}`,
    );
  }
  checkLoader('prefetch', loader);
  if (loader instanceof DataLoader) return loader;
  return {
    get length() {
      return loader.length;
    },
    [Symbol.asyncIterator]: () => readAhead(loader, count),
  };
}

async function* readAhead(loader: Loader, count: number): AsyncGenerator<Batch> {
  // Its requests wait for one another.
  const asked = { stop: false };
  const source = batchesOf(loader, asked);
  const coming: Promise<IteratorResult<Batch>>[] = [];
  try {
    for (;;) {
      while (coming.length <= count) {
        const next = source.next();
        // What fails does so when its turn comes, and doesn't end the process before.
        next.catch(() => undefined);
        coming.push(next);
      }
      const next = await coming.shift();
      if (!next || next.done) return;
      yield next.value;
    }
  } finally {
    // It ends after what it was asked for, which may never come.
    asked.stop = true;
    const end = source.return(undefined).catch(() => undefined);
    if (coming.length === 0) await end;
  }
}

async function* batchesOf(loader: Loader, asked: { stop: boolean }): AsyncGenerator<Batch> {
  for await (const batch of loader) {
    yield batch;
    if (asked.stop) return;
  }
}
