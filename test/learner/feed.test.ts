import { getEventListeners } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { isAvailable } from '../../lib/cuda';
import { feed } from '../../lib/learner/feed';
import { transferTo, type Transfer } from '../../lib/learner/transfer';
import {
  DataLoader,
  getDefaultDevice,
  Learner,
  memory,
  nn,
  randn,
  Scope,
  tensor,
  zeros,
  type Batch,
  type Device,
  type Loader,
  type Tensor,
} from '../../lib/index';
import { onGpu, unavailable, withoutGpu } from '../support/cuda';
import { numbers, thrown } from '../support/tensors';
import { failure, tinyData, tinyLearner } from './tiny';

// Stands for another device: what it gives is always a copy.
const copying =
  (log: string[]): Transfer =>
  (tensors) => {
    log.push(`copy ${tensors[0]!.item()}`);
    const moved = tensors.map((each) => each.clone());
    return {
      tensors: moved,
      copied: true,
      wait: () => void log.push(`wait ${moved[0]!.item()}`),
    };
  };

function loaderOf(values: number[], log: string[], failAt = -1): Loader {
  return {
    length: values.length,
    async *[Symbol.asyncIterator]() {
      try {
        for (const value of values) {
          await setTimeout(1);
          if (value === failAt) throw new Error(`no batch ${value}`);
          log.push(`make ${value}`);
          const x = tensor(value);
          try {
            yield [x, x] as Batch;
          } finally {
            // As a loader may do that reuses its memory.
            x.dispose();
          }
        }
      } finally {
        log.push('closed');
      }
    },
  };
}

async function use(
  dl: Loader,
  transfer: Transfer,
  log: string[],
  until = Infinity,
): Promise<number[]> {
  const used: number[] = [];
  for await (const { xb, scope } of feed(dl, transfer)) {
    await setTimeout(10);
    const value = xb[0]!.item();
    log.push(`use ${value}`);
    used.push(value);
    scope.dispose();
    if (value === until) break;
  }
  return used;
}

test('the next batch is made and copied while one that was copied is used', async () => {
  const log: string[] = [];
  expect(await use(loaderOf([0, 1, 2], log), copying(log), log)).toEqual([0, 1, 2]);
  expect(log).toEqual([
    ...['make 0', 'copy 0', 'wait 0', 'make 1', 'copy 1', 'use 0', 'wait 1'],
    ...['make 2', 'copy 2', 'use 1', 'closed', 'wait 2', 'use 2'],
  ]);
});

test('a batch that is there already is used before the next one is asked for', async () => {
  const log: string[] = [];
  expect(await use(loaderOf([0, 1], log), transferTo(getDefaultDevice()), log)).toEqual([0, 1]);
  expect(log).toEqual(['make 0', 'use 0', 'make 1', 'use 1', 'closed']);
  expect(await use(loaderOf([0, 1], log), transferTo(undefined), log)).toEqual([0, 1]);
});

test('a loop that is left frees what was copied ahead, and closes the loader', async () => {
  const log: string[] = [];
  const before = memory().tensors;
  const scope = new Scope();
  await use(loaderOf([0, 1, 2], log), copying(log), log, 0);
  expect(log.at(-1)).toBe('closed');
  expect(log).not.toContain('make 2');
  scope.dispose();
  expect(memory().tensors).toBe(before);
});

test('a signal ends the wait for a batch, which is freed when it comes after all', async () => {
  const log: string[] = [];
  const before = memory().tensors;
  let arrive = (): void => undefined;
  const arrival = new Promise<void>((resolve) => (arrive = resolve));
  const dl: Loader = {
    length: 2,
    async *[Symbol.asyncIterator]() {
      try {
        yield [tensor(0)] as Batch;
        await arrival;
        yield [tensor(1)] as Batch;
      } finally {
        log.push('closed');
      }
    },
  };
  const controller = new AbortController();
  const { signal } = controller;
  for await (const fed of feed(dl, copying(log), signal)) {
    log.push('use');
    fed.scope.dispose();
    globalThis.setTimeout(() => controller.abort(), 5);
  }
  expect(log).toEqual(['copy 0', 'wait 0', 'use']);
  arrive();
  await setTimeout(5);
  expect(log).toEqual(['copy 0', 'wait 0', 'use', 'copy 1', 'closed']);
  // The loader's own two.
  expect(memory().tensors).toBe(before + 2);
});

test('a signal leaves no listener behind', async () => {
  const { signal } = new AbortController();
  const before = getEventListeners(signal, 'abort').length;
  const x = zeros([1]);
  for await (const { scope } of feed([[x], [x], [x]], transferTo('cpu'), signal)) {
    scope.dispose();
    expect(getEventListeners(signal, 'abort')).toHaveLength(before);
  }
});

test('a failure comes in the turn of its batch, and what went before is used', async () => {
  const log: string[] = [];
  const error = await failure(use(loaderOf([0, 1, 2], log, 1), copying(log), log));
  expect(error.message).toBe('no batch 1');
  expect(log.filter((line) => line.startsWith('use'))).toEqual(['use 0']);
});

test('a batch that is none is refused in its turn', async () => {
  const log: string[] = [];
  const dl = [[tensor(0)], [3]] as unknown as Loader;
  const error = await failure(use(dl, copying(log), log));
  expect(error.message).toMatch(/^Learner: expected batches \[x, y\] of tensors/);
  expect(log.at(-1)).toBe('use 0');
});

test("a DataLoader's batches are freed with their scope, another loader's are not", async () => {
  const x = randn([4, 2]);
  const made: Tensor[] = [];
  for await (const { xb, yb, scope } of feed(
    new DataLoader([x, x], { bs: 2 }),
    transferTo('cpu'),
  )) {
    made.push(...xb, ...yb);
    scope.dispose();
  }
  expect(made).toHaveLength(4);
  expect(made.every((each) => each.isDisposed)).toBe(true);
  for await (const { scope } of feed([[x]], transferTo('cpu'))) scope.dispose();
  expect(x.isDisposed).toBe(false);
});

test('tensors go to another device and keep their values where they have some', () => {
  const [here, there] = [zeros([2]), zeros([2], { device: 'meta' })];
  const { tensors, copied } = transferTo('meta')([here, there]);
  expect([tensors.map(({ device }) => device), copied]).toEqual([['meta', 'meta'], true]);
  expect(tensors[1]).toBe(there);
});

onGpu(
  'copies to a GPU run beside its work, and training gives what it gives on the CPU',
  async () => {
    const model = new nn.Linear(3, 2);
    const run = async (device: 'cpu' | 'cuda') => {
      const learn = new Learner({ train: tinyData(64) }, model.clone().to(device), {
        ...{ lossFunc: nn.crossEntropy, progress: false },
      });
      await learn.fit(3);
      return learn.recorder.losses;
    };
    const wanted = await run('cpu');
    (await run('cuda')).forEach((loss, i) => expect(loss).toBeCloseTo(wanted[i]!, 4));
  },
);

onGpu('many batches in flight keep their values', async () => {
  const x = randn([64, 1000]);
  const dl = new DataLoader([x, x], { bs: 1 });
  let at = 0;
  for await (const { xb, scope } of feed(dl, transferTo('cuda:0'))) {
    expect(numbers(xb[0]!.cpu())).toEqual(numbers(x.narrow(0, at++, 1)));
    scope.dispose();
  }
});

test("the model goes where 'device' says", () => {
  const deviceOf = (device: Device | 'auto') => tinyLearner({ device }).device;
  expect(deviceOf('cpu')).toBe('cpu');
  expect(deviceOf('auto')).toBe(isAvailable() ? 'cuda:0' : 'cpu');
  expect(thrown(() => deviceOf('tpu' as Device)).code).toBe('ERR_TORCH_ARGUMENT');
});

withoutGpu('a GPU that is not there is refused, and the model stays where it is', () => {
  const model = new nn.Linear(3, 2);
  for (const device of ['cuda', 'cuda:0'] as const)
    expect(thrown(() => tinyLearner({ device }, model))).toMatchObject(unavailable);
  expect(model.parameters().map(({ device }) => device)).toEqual(['cpu', 'cpu']);
});
