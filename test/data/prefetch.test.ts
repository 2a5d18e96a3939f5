import { setImmediate } from 'node:timers/promises';
import {
  Callback,
  CancelFitException,
  DataLoader,
  Learner,
  nn,
  prefetch,
  tensor,
  zeros,
  type Batch,
  type Loader,
} from '../../lib/index';
import { failure } from '../learner/tiny';
import { thrown } from '../support/tensors';

/** Gives batches of one number, and tells when each was asked for and whether it was closed. */
function counting(length: number, log: string[], failAt = -1): Loader {
  return {
    length,
    async *[Symbol.asyncIterator]() {
      try {
        for (let i = 0; i < length; i++) {
          log.push(`made ${i}`);
          await setImmediate();
          if (i === failAt) throw new Error(`no batch ${i}`);
          yield [tensor(i)] as Batch;
        }
      } finally {
        log.push('closed');
      }
    },
  };
}

async function read(loader: Loader, log: string[], until = Infinity): Promise<number[]> {
  const seen: number[] = [];
  for await (const [x] of loader) {
    // A batch takes a turn of the event loop: what was asked for ahead is under way by then.
    for (let turn = 0; turn < 10; turn++) await setImmediate();
    const value = (x as ReturnType<typeof tensor>).item();
    log.push(`used ${value}`);
    seen.push(value);
    if (value === until) break;
  }
  return seen;
}

test('batches come in order, and the next ones are made while one is used', async () => {
  const log: string[] = [];
  const loader = prefetch(counting(4, log));
  expect(loader.length).toBe(4);
  expect(await read(loader, log)).toEqual([0, 1, 2, 3]);
  expect(log).toEqual([
    ...['made 0', 'made 1', 'used 0', 'made 2', 'used 1', 'made 3', 'used 2', 'closed', 'used 3'],
  ]);
  // Again, for the next epoch.
  expect(await read(loader, log)).toEqual([0, 1, 2, 3]);
});

test('as many are made ahead as was asked for', async () => {
  const log: string[] = [];
  await read(prefetch(counting(6, log), { count: 3 }), log, 0);
  expect(log).toEqual(['made 0', 'made 1', 'made 2', 'made 3', 'used 0', 'closed']);
});

test('a failure comes in the turn of its batch', async () => {
  const log: string[] = [];
  const error = await failure(read(prefetch(counting(4, log, 2), { count: 2 }), log));
  expect(error.message).toBe('no batch 2');
  expect(log.filter((line) => line.startsWith('used'))).toEqual(['used 0', 'used 1']);
});

test('an epoch that is given up does not wait for a batch that never comes', async () => {
  const train: Loader = {
    length: 8,
    async *[Symbol.asyncIterator]() {
      yield [zeros([2, 1]), tensor([0n, 1n])] as Batch;
      await new Promise<never>(() => undefined);
    },
  };
  const learn = new Learner({ train: prefetch(train) }, new nn.Linear(1, 2), {
    ...{ lossFunc: nn.crossEntropy, progress: false },
  });
  let batches = 0;
  const stop = new Callback({
    afterBatch() {
      batches += 1;
      throw new CancelFitException();
    },
  });
  await learn.fit(1, { cbs: [stop] });
  expect(batches).toBe(1);
});

test('a DataLoader is left as it is', () => {
  const loader = new DataLoader([zeros([4, 1]), zeros([4])], { bs: 2 });
  expect(prefetch(loader)).toBe(loader);
});

test('a learner trains on it as on the loader itself', async () => {
  const made: Batch[] = Array.from({ length: 3 }, (_, i) => [
    zeros([2, 1]).add(i),
    tensor([0n, 1n]),
  ]);
  const train: Loader = {
    length: 3,
    async *[Symbol.asyncIterator]() {
      for (const batch of made) {
        await setImmediate();
        yield batch;
      }
    },
  };
  const model = new nn.Linear(1, 2);
  const run = async (loader: Loader): Promise<readonly number[]> => {
    const learn = new Learner({ train: loader }, model.clone(), {
      ...{ lossFunc: nn.crossEntropy, progress: false },
    });
    await learn.fit(2);
    return learn.recorder.losses;
  };
  expect(await run(prefetch(train))).toEqual(await run(train));
});

test('counts that are none are refused', () => {
  for (const count of [0, 1.5, NaN])
    expect(thrown(() => prefetch([], { count })).message).toBe(
      `prefetch: expected a count of batches from 1 up, got ${count}`,
    );
  expect(thrown(() => prefetch([], { ahead: 1 } as object)).code).toBe('ERR_TORCH_UNKNOWN_OPTION');
});
