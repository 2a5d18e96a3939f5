import {
  currentStream,
  emptyCache,
  memoryStats,
  resetPeakMemoryStats,
  Stream,
  synchronize,
} from '../../lib/cuda';
import { ones, rand, tensor, zeros } from '../../lib/index';
import { onGpu, unavailable, withoutGpu } from '../support/cuda';
import { numbers, thrown } from '../support/tensors';

const MiB = 2 ** 20;

withoutGpu('what concerns the memory of a GPU needs one, but emptying a cache does nothing', () => {
  emptyCache();
  const x = tensor([1]);
  expect(x.isPinned()).toBe(false);
  for (const use of [
    () => memoryStats(),
    () => resetPeakMemoryStats('cuda:0'),
    () => x.pinMemory(),
    () => tensor([1], { pinMemory: true }),
    () => zeros([1], { pinMemory: true }),
    () => rand([1], { pinMemory: true }),
    () => x.newZeros([1], { pinMemory: true }),
    () => x.zerosLike({ pinMemory: true }),
  ])
    expect(thrown(use)).toMatchObject(unavailable);
  expect(zeros([1], { pinMemory: false }).toArray()).toEqual([0]);
});

onGpu('memoryStats counts what tensors hold, now and at most', () => {
  const device = 'cuda:0';
  zeros([1], { device });
  const before = memoryStats(device);
  resetPeakMemoryStats(device);
  const x = zeros([64 * MiB], { dtype: 'uint8', device });
  expect(memoryStats(device).allocated - before.allocated).toBe(64 * MiB);
  x.dispose();
  const after = memoryStats(device);
  expect(after.allocated).toBe(before.allocated);
  expect(after.maxAllocated - before.allocated).toBe(64 * MiB);
  expect(after.reserved).toBeGreaterThanOrEqual(after.allocated);
  expect(after.free).toBeLessThan(after.total);
  synchronize(device);
  emptyCache();
  expect(memoryStats(device).reserved).toBeLessThan(after.reserved);
});

onGpu('pinned tensors are copied to the GPU while the program goes on', () => {
  const host = tensor([1, 2, 3], { pinMemory: true });
  expect([host.isPinned(), host.device]).toEqual([true, 'cpu']);
  expect([zeros([2], { pinMemory: true }).isPinned(), host.pinMemory().isPinned()]).toEqual([
    true,
    true,
  ]);
  const side = new Stream();
  const there = side.run(() => host.to('cuda:0', { nonBlocking: true }));
  currentStream().waitStream(side);
  currentStream().recordStream(there);
  expect(numbers(there.mul(2))).toEqual([2, 4, 6]);
});

onGpu('a tensor of a GPU can not be pinned', () => {
  expect(thrown(() => ones([1], { device: 'cuda' }).pinMemory()).code).toBe('ERR_TORCH');
});
