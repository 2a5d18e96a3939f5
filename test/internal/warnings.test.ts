import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ops, tensor, type Tensor } from '../../lib/index';
import { thrown } from '../support/tensors';

const options = { type: 'TorchWarning', code: 'FASTOPT_TORCH_WARNING' };

let emitted: jest.SpiedFunction<typeof process.emitWarning>;

beforeEach(() => {
  emitted = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
});

afterEach(() => {
  emitted.mockRestore();
});

test('what libtorch warns of is a warning of Node, each text once', () => {
  for (let i = 0; i < 3; i++) tensor([1]).std();
  expect(emitted.mock.calls).toEqual([
    [expect.stringMatching(/^std\(\): degrees of freedom is <= 0/), options],
  ]);
  tensor([1]).var();
  expect(emitted).toHaveBeenCalledTimes(2);
});

test('also of a call that fails after it, whose error comes out as ever', () => {
  const [row, square] = [tensor([[1, 2, 3]]), tensor([[4]])];
  const { message } = thrown(() => ops.aten.chain_matmul?.([row, square]));
  expect(message).toContain('cannot be multiplied');
  expect(emitted.mock.calls).toEqual([
    [expect.stringContaining('torch.chain_matmul is deprecated'), options],
  ]);
});

test('also within a backward pass, which gathers them until it is over', () => {
  const x = tensor([2], { requiresGrad: true });
  x.registerHook(() => void ops.aten.std_mean?.(tensor([1]), true));
  x.mul(3).sum().backward();
  expect(emitted).toHaveBeenCalledTimes(1);
  expect(x.grad!.toArray()).toEqual([3]);
});

test('a listener that throws does no harm', () => {
  emitted.mockImplementation(() => {
    throw new Error('mine');
  });
  const [variance] = ops.aten.var_mean?.(tensor([1]), true) as Tensor[];
  expect(variance!.item()).toBeNaN();
  expect(emitted).toHaveBeenCalled();
});

test('each thread has its own, and nothing goes to stderr by itself', () => {
  const program = `
    const { once } = require('node:events');
    const { Worker, isMainThread, parentPort } = require('node:worker_threads');
    const { tensor } = require(${JSON.stringify(join(__dirname, '../../dist'))});
    const seen = [];
    process.on('warning', ({ name, code, message }) => seen.push([name, code, message.slice(0, 5)]));
    (async () => {
      tensor([1]).std();
      tensor([1]).std();
      await new Promise(setImmediate);
      if (!isMainThread) return parentPort.postMessage(seen);
      const worker = new Worker(process.env.PROGRAM, { eval: true });
      const [[theirs]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
      tensor([1]).var();
      await new Promise(setImmediate);
      console.log(JSON.stringify([seen, theirs]));
    })();`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], {
    encoding: 'utf8',
    env: { ...process.env, PROGRAM: program, NODE_NO_WARNINGS: '1' },
  });
  expect(stderr).toBe('');
  const std = ['TorchWarning', 'FASTOPT_TORCH_WARNING', 'std()'];
  const variance = ['TorchWarning', 'FASTOPT_TORCH_WARNING', 'var()'];
  expect(JSON.parse(stdout)).toEqual([[std, variance], [std]]);
});
