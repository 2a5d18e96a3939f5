import { isAvailable, isBuilt } from '../../lib/cuda';
import type { Device } from '../../lib/tensor/dtype';
import { setDefaultDevice } from '../../lib/tensor/runtime';

/** Where tests run; see setup.ts. */
export const testDevice = (process.env.FASTOPT_TEST_DEVICE ?? 'cpu') as Device;

if (testDevice.startsWith('cuda') && !isAvailable())
  throw new Error(`FASTOPT_TEST_DEVICE=${testDevice}: there is no GPU`);

/** What messages say behind a tensor of the tests: ` on cuda:0`, and nothing for the CPU. */
export const onTestDevice =
  testDevice === 'cpu' ? '' : ` on ${testDevice.replace(/^cuda$/, 'cuda:0')}`;

/** Keeps the tests of a file, or of a group, on the CPU: what they are about is only there, which a comment tells. */
export function onCpuOnly(): void {
  beforeAll(() => setDefaultDevice('cpu'));
  afterAll(() => setDefaultDevice(testDevice));
}

/** A test that needs a GPU, and one that shows what happens without. */
export const onGpu = isAvailable() ? test : test.skip;
export const withoutGpu = isAvailable() ? test.skip : test;

/** What a build without CUDA, or a machine without a GPU, says of 'cuda'. */
export const unavailable = {
  name: 'CudaUnavailableError',
  code: 'ERR_TORCH_CUDA_UNAVAILABLE',
  message: expect.stringContaining(isBuilt() ? 'fastopt doctor' : 'fastopt setup --cuda'),
};
