import {
  currentDevice,
  deviceCount,
  isAvailable,
  isBuilt,
  setDevice,
  synchronize,
} from '../../lib/cuda';
import { Generator, getRngState, tensor, zeros } from '../../lib/index';
import { onGpu, unavailable, withoutGpu } from '../support/cuda';
import { thrown } from '../support/tensors';

test('CUDA is available where libtorch has it and there is a GPU', () => {
  expect(isAvailable()).toBe(deviceCount() > 0);
  expect(isAvailable() && !isBuilt()).toBe(false);
});

withoutGpu('says how to get CUDA, wherever a device is named', () => {
  const x = tensor([1]);
  for (const use of [
    () => zeros([1], { device: 'cuda' }),
    () => tensor([1], { device: 'cuda:0' }),
    () => x.to('cuda'),
    () => x.cuda(),
    () => x.newZeros([1], { device: 'cuda:3' }),
    () => new Generator({ device: 'cuda' }),
    () => getRngState('cuda'),
    () => currentDevice(),
    () => setDevice(0),
    () => synchronize(),
    () => synchronize('cuda:1'),
  ])
    expect(thrown(use)).toMatchObject(unavailable);
});

test.each([-1, 1.5, NaN, 'gpu', 'cuda:', 'cuda:-1', 'cpu', null, {}])(
  'refuses the device %p',
  (device) => {
    expect(thrown(() => synchronize(device as never))).toMatchObject({
      code: 'ERR_TORCH_ARGUMENT',
      message: expect.stringContaining(
        "cuda.synchronize: expected a GPU such as 0 or 'cuda:0', got",
      ),
    });
  },
);

onGpu('refuses a GPU that is not there, and names those that are', () => {
  const last = `cuda:${deviceCount() - 1}`;
  for (const use of [() => synchronize(deviceCount()), () => zeros([1], { device: 'cuda:99' })])
    expect(thrown(use)).toMatchObject({
      code: 'ERR_TORCH_ARGUMENT',
      message: expect.stringContaining(`expected a GPU from cuda:0 to ${last}, got 'cuda:`),
    });
});

onGpu('setDevice says what cuda stands for', () => {
  const before = currentDevice();
  const last = deviceCount() - 1;
  setDevice(`cuda:${last}`);
  expect(currentDevice()).toBe(last);
  expect(zeros([1], { device: 'cuda' }).device).toBe(`cuda:${last}`);
  setDevice(before);
  synchronize();
});
