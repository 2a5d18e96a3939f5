import {
  deviceCount,
  getArchList,
  getDeviceProperties,
  isAvailable,
  isBuilt,
  memoryStats,
  runtimeVersion,
} from '../../lib/cuda';
import { backends } from '../../lib/index';
import { runsOn } from '../../lib/internal/build-config';
import { onGpu, testDevice, unavailable, withoutGpu } from '../support/cuda';
import { thrown } from '../support/tensors';

test('libtorch tells which CUDA it was built with, if any', () => {
  expect(runtimeVersion()).toEqual(isBuilt() ? expect.stringMatching(/^1\d\.\d+$/) : undefined);
  const architectures = getArchList();
  if (isAvailable()) expect(architectures).not.toEqual([]);
  if (!isBuilt()) expect(architectures).toEqual([]);
  for (const name of architectures) expect(name).toMatch(/^(sm|compute)_\d+a?$/);
});

withoutGpu('there are no properties without a GPU', () => {
  expect(thrown(() => getDeviceProperties())).toMatchObject(unavailable);
  expect(thrown(() => getDeviceProperties(0)).code).toBe('ERR_TORCH_CUDA_UNAVAILABLE');
});

onGpu('the driver tells of each GPU, in the order of libtorch', () => {
  for (let index = 0; index < deviceCount(); index++) {
    const gpu = getDeviceProperties(index);
    expect(gpu.totalMemory).toBe(memoryStats(index).total);
    expect(gpu).toMatchObject({ name: expect.stringMatching(/./), warpSize: 32 });
    expect(runsOn(getArchList(), gpu)).toBe(true);
  }
  expect(thrown(() => getDeviceProperties(99)).message).toContain('got 99');
});

// PyTorch's own defaults.
const switches = [
  [backends.cudnn, 'enabled', true],
  [backends.cudnn, 'benchmark', false],
  [backends.cudnn, 'deterministic', false],
  [backends.cudnn, 'allowTf32', true],
  [backends.cuda.matmul, 'allowTf32', false],
] as const;

test.each(switches.map((each, i) => [i, ...each] as const))(
  'switch %i keeps what it is set to, and begins as in PyTorch',
  (_, owner, name, atFirst) => {
    const object: Record<string, boolean> = owner;
    const before = object[name]!;
    // On a GPU the tests' own set-up has changed some.
    if (testDevice === 'cpu') expect(before).toBe(atFirst);
    object[name] = !before;
    expect(object[name]).toBe(!before);
    object[name] = before;
    expect(thrown(() => (object[name] = 1 as never))).toMatchObject({
      code: 'ERR_TORCH_ARGUMENT',
      message: expect.stringContaining(`${name}: expected a boolean, got 1`),
    });
  },
);

test('a switch that is none is refused', () => {
  // @ts-expect-error there is none of this name.
  expect(() => (backends.cudnn.bench = true)).toThrow(TypeError);
});
