import { DataLoader } from '../data/data-loader';
import type { Batch, Loader } from '../data/types';
import { Scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { readBatch } from './batch';
import type { Transfer, Transferred } from './transfer';

/** A batch on the device. What was made for it belongs to its scope. */
export interface Fed {
  readonly xb: readonly Tensor[];
  readonly yb: readonly Tensor[];
  readonly scope: Scope;
}

type Coming = Fed & Pick<Transferred, 'copied' | 'wait'>;

// A DataLoader's batches are new each time: they are freed with the batch. Others' tensors may be needed again.
async function* batchesOf(dl: Loader): AsyncGenerator<{ batch: Batch; scope: Scope }> {
  if (!(dl instanceof DataLoader)) {
    for await (const batch of dl) yield { batch, scope: new Scope() };
    return;
  }
  const iterator = dl[Symbol.iterator]();
  try {
    for (;;) {
      const scope = new Scope();
      const next = scope.run(() => iterator.next());
      if (next.done) return;
      yield { batch: next.value, scope };
    }
  } finally {
    iterator.return?.();
  }
}

async function take(
  source: ReturnType<typeof batchesOf>,
  transfer: Transfer,
): Promise<Coming | undefined> {
  const next = await source.next();
  if (next.done) return undefined;
  const { batch, scope } = next.value;
  try {
    const [xb, yb] = readBatch(batch);
    const { tensors, copied, wait } = scope.run(() => transfer([...xb, ...yb]));
    return { xb: tensors.slice(0, xb.length), yb: tensors.slice(xb.length), scope, copied, wait };
  } catch (error) {
    scope.dispose();
    throw error;
  }
}

// Waits for what is on its way, and tells whether it came before the signal: it may never come.
async function comesBefore(signal: AbortSignal, coming: Promise<unknown>): Promise<boolean> {
  let stop = (): void => undefined;
  const aborted = new Promise<boolean>((resolve) => {
    stop = () => {
      resolve(false);
    };
  });
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  const isHere = () => true;
  try {
    return await Promise.race([coming.then(isHere, isHere), aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/**
 * Gives the batches of an epoch on a device. While one that was copied there is in use, the next one is asked for and begins
 * its way: a loader may free its own tensors once it is asked for more, so those that weren't copied have no other beside them.
 *
 * @param signal ends it, also while a batch is awaited.
 */
export async function* feed(
  dl: Loader,
  transfer: Transfer,
  signal?: AbortSignal,
): AsyncGenerator<Fed> {
  const source = batchesOf(dl);
  let ahead: Promise<Coming | undefined> | undefined;
  try {
    for (;;) {
      ahead ??= take(source, transfer);
      if (signal && !(await comesBefore(signal, ahead))) return;
      const coming = ahead;
      ahead = undefined;
      const batch = await coming;
      if (!batch) return;
      if (batch.copied) {
        ahead = take(source, transfer);
        // What fails does so when its turn comes, and doesn't end the process before.
        ahead.catch(() => undefined);
      }
      batch.wait();
      yield batch;
    }
  } finally {
    // What is on its way may never come.
    void ahead?.then(
      (unused) => unused?.scope.dispose(),
      () => undefined,
    );
    const end = source.return(undefined);
    if (ahead) end.catch(() => undefined);
    else await end;
  }
}
