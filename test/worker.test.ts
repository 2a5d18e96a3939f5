import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { memory, ones } from '../lib/index';

const dist = join(__dirname, '../dist');

async function inWorker(body: string): Promise<unknown> {
  const worker = new Worker(
    `const torch = require(${JSON.stringify(dist)}); const { parentPort } = require('node:worker_threads'); ${body}`,
    { eval: true },
  );
  const [message] = (await once(worker, 'message')) as unknown[];
  await worker.terminate();
  return message;
}

test('a worker thread trains with an addon environment of its own', async () => {
  const before = memory().tensors;
  const message = await inWorker(`
    const net = new torch.nn.Linear(2, 1);
    const opt = torch.Nadam(net.parameters(), { lr: 0.1 });
    torch.nn.mseLoss(net.forward(torch.ones([4, 2])), torch.zeros([4, 1])).backward();
    opt.step();
    parentPort.postMessage({ step: opt.state.get(net.weight).step, tensors: torch.memory().tensors });
  `);
  expect(message).toMatchObject({ step: 1, tensors: expect.any(Number) });
  expect(memory().tensors).toBe(before);
});

test('several workers at once, ended in the middle of their work, leave the process whole', async () => {
  const workers = Array.from(
    { length: 3 },
    () =>
      new Worker(
        `const { ones } = require(${JSON.stringify(dist)}); const x = ones([64, 64]); require('node:worker_threads').parentPort.postMessage(0); for (;;) x.matmul(x);`,
        { eval: true },
      ),
  );
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  await Promise.all(workers.map((worker) => worker.terminate()));
  expect(ones(2).add(1).toArray()).toEqual([2, 2]);
});

test('the same seed draws the same numbers in a worker', async () => {
  const body = 'torch.manualSeed(4); parentPort.postMessage(torch.rand(3).toArray());';
  expect(await inWorker(body)).toEqual(await inWorker(body));
});
