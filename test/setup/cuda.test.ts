import { describeCuda } from '../../lib/setup/cuda';
import { Machine } from '../support/machine';

let machine: Machine;
beforeEach(() => (machine = new Machine()));
afterEach(() => machine.remove());

const config =
  '-gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90, CUDA_VERSION=13.0, CUDNN_VERSION=9.24.0';
const h100 = {
  ...{ name: 'NVIDIA H100 80GB HBM3', major: 9, minor: 0, totalMemory: 85_029_158_912 },
  ...{ multiProcessorCount: 132, warpSize: 32, maxThreadsPerMultiProcessor: 2048 },
  ...{ sharedMemoryPerBlock: 232_448, l2CacheSize: 52_428_800 },
};
const built = 'CUDA: runtime 13.0, cuDNN 9.24.0, code for sm_80 sm_90';

test('tells runtime, driver and GPUs', () => {
  machine.tool('nvidia-smi', 'echo 580.95.05; echo 580.95.05');
  const driver = {
    cudaVersion: 13000,
    gpus: [h100, { ...h100, name: 'Tesla T4', major: 7, minor: 5 }],
  };
  expect(describeCuda({ config, driver, usable: 2 })).toEqual([
    built,
    '  driver: 580.95.05, serves CUDA up to 13.0',
    '  GPU 0: NVIDIA H100 80GB HBM3 (sm_90, 79.19 GiB)',
    '  GPU 1: Tesla T4 (sm_75, 79.19 GiB); this libtorch has no code for it',
    '  usable: 2 GPUs',
  ]);
});

test('a libtorch with CUDA on a machine without a driver', () => {
  expect(describeCuda({ config, driver: { cudaVersion: 0, gpus: [] }, usable: 0 })).toEqual([
    built,
    '  driver: not found',
    '  usable: none, since a driver is missing',
  ]);
});

test.each([
  [{ cudaVersion: 12040, gpus: [h100] }, 'the driver is too old: CUDA 13.0 is needed'],
  [{ cudaVersion: 13010, gpus: [] }, 'the driver sees no GPU'],
  [{ cudaVersion: 13010, gpus: [h100] }, 'CUDA could not be started'],
])('says why no GPU can be used (%#)', (driver, reason) => {
  const lines = describeCuda({ config, driver, usable: 0 });
  expect(lines.at(-1)).toBe(`  usable: none, since ${reason}`);
});

test('a libtorch without CUDA, on a machine with a GPU and on one without', () => {
  const none = 'CUDA: this libtorch has none; "npx fastopt setup --cuda" gets one that has';
  expect(describeCuda({ config: '', driver: { cudaVersion: 0, gpus: [] }, usable: 0 })).toEqual([
    none,
  ]);
  expect(
    describeCuda({ config: '', driver: { cudaVersion: 12080, gpus: [h100] }, usable: 0 }),
  ).toEqual([
    none,
    '  driver: serves CUDA up to 12.8',
    '  GPU 0: NVIDIA H100 80GB HBM3 (sm_90, 79.19 GiB)',
  ]);
});
