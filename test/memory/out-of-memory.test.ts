import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type * as Binding from '../../lib/internal/binding';
import { isOutOfMemory, outOfMemoryError } from '../../lib/internal/out-of-memory';
import { memory, ones, TorchOutOfMemoryError, zeros } from '../../lib/index';
import { onCpuOnly, onGpu } from '../support/cuda';
import { thrown } from '../support/tensors';

// The memory of the system; that of a GPU has a test of its own.
onCpuOnly();

const TiB = 2 ** 40;

test('an allocation that the system refuses is an error with figures, and nothing is lost', () => {
  const x = ones([3]);
  const error = thrown(() => zeros([1e12]));
  expect(error).toBeInstanceOf(TorchOutOfMemoryError);
  expect(error).toMatchObject({
    code: 'ERR_TORCH_OUT_OF_MEMORY',
    op: 'zeros',
    received: 'size: [1000000000000]',
    figures: { device: 'cpu', requested: 4e12, tensors: memory().tensors },
  });
  const { figures } = error as unknown as TorchOutOfMemoryError;
  expect(figures?.free).toBeLessThan(figures!.total);
  expect(figures?.allocated).toBe(memory().bytes);
  expect(error.message).toMatch(
    /^zeros: expected memory for 3\.64 TiB on cpu, got none: [\d.]+ GiB of [\d.]+ GiB are free, tensors hold .* in JavaScript; free some/,
  );
  expect(error.cause?.message).toContain('DefaultCPUAllocator');
  expect(x.add(1).toArray()).toEqual([2, 2, 2]);
});

test.each<[string, () => unknown]>([
  ['a method', () => ones([1]).expand([TiB]).clone()],
  ['an in-place method', () => ones([1]).resize_([TiB])],
  [
    'backward',
    () => {
      const x = ones([1], { requiresGrad: true });
      // The gradient of a view is as large as what it is a view of.
      x.expand([TiB]).narrow(0, 0, 1).sum().backward();
    },
  ],
])('so it is in %s', (_, body) => {
  expect(thrown(body)).toMatchObject({
    name: 'TorchOutOfMemoryError',
    figures: { requested: 4 * TiB },
  });
});

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux(
  'garbage makes room: what changes nothing is tried again, the rest leaves room for the next',
  () => {
    const script = join(__dirname, 'out-of-memory.cjs');
    const { stdout, stderr } = spawnSync(
      'bash',
      [
        '-c',
        'ulimit -v 6000000; exec "$@"',
        'bash',
        process.execPath,
        script,
        join(__dirname, '../../dist'),
      ],
      { encoding: 'utf8', env: { ...process.env, OMP_NUM_THREADS: '1' } },
    );
    expect(stderr).toBe('');
    const MiB = 2 ** 20;
    const { before, ...rest } = JSON.parse(stdout) as Record<string, number>;
    expect(before).toBeGreaterThan(512 * MiB);
    expect(rest).toEqual({
      made: 512 * MiB,
      data: 256 * MiB,
      written: 'ERR_TORCH_OUT_OF_MEMORY',
      after: 512 * MiB,
    });
  },
);

test("reads the figures of a GPU from libtorch's message", () => {
  const raw = Object.assign(
    new Error(
      'mm: CUDA out of memory. Tried to allocate 1.50 GiB. GPU 1 has a total capacity of 79.19 GiB of which 3.25 MiB is free.',
    ),
    { torch: 'ERR_TORCH_OUT_OF_MEMORY', op: 'mm' },
  );
  const stats = { allocated: 80e9, free: 3.25 * 2 ** 20, total: 85e9 };
  const asked: number[] = [];
  const native = {
    memory: (into: Float64Array) => into.set([7, 100]),
    cudaCurrentDevice: () => 2,
    cudaMemoryStats: (device: number) => (asked.push(device), stats as never),
  };
  expect(isOutOfMemory(raw)).toBe(true);
  expect(outOfMemoryError(raw, native)).toMatchObject({
    op: 'mm',
    figures: { device: 'cuda:1', requested: 1.5 * 2 ** 30, tensors: 7, ...stats },
  });
  const library = Object.assign(new Error('addmm: CUDA error: CUBLAS_STATUS_ALLOC_FAILED'), {
    torch: 'ERR_TORCH_OUT_OF_MEMORY',
  });
  expect(outOfMemoryError(library, native)).toMatchObject({
    message: expect.stringContaining('expected memory for what it needs on cuda:2'),
    figures: { device: 'cuda:2', requested: undefined, ...stats },
  });
  expect(asked).toEqual([1, 2]);
});

test('a GPU that has no memory to tell its figures is asked once', () => {
  const asked: string[] = [];
  const fails = (name: string) => () => {
    asked.push(name);
    const error = new Error('mm: CUDA out of memory. GPU 0 has a total capacity of 79.19 GiB.');
    throw Object.assign(error, { torch: 'ERR_TORCH_OUT_OF_MEMORY' });
  };
  // Stands for the addon on a machine with a GPU.
  const addon = {
    memory: () => undefined,
    onWarning: () => undefined,
    fromData: fails('fromData'),
    cudaMemoryStats: fails('cudaMemoryStats'),
  };
  jest.isolateModules(() => {
    jest.doMock('../../lib/internal/load', () => ({ loadAddon: () => addon }));
    const { native } = jest.requireActual<typeof Binding>('../../lib/internal/binding');
    expect(thrown(() => native.fromData(new Float32Array(1), [1], 'float32', 'cpu'))).toMatchObject(
      {
        name: 'TorchOutOfMemoryError',
        figures: { device: 'cpu' },
      },
    );
  });
  expect(asked).toEqual(['fromData', 'fromData', 'cudaMemoryStats']);
});

onGpu('a GPU without the memory says so, and goes on', () => {
  const error = thrown(() => zeros([2 ** 42], { dtype: 'uint8', device: 'cuda' }));
  expect(error).toMatchObject({
    name: 'TorchOutOfMemoryError',
    figures: { device: 'cuda:0', requested: 2 ** 42 },
  });
  expect(ones([2], { device: 'cuda' }).add(1).toArray()).toEqual([2, 2]);
});
