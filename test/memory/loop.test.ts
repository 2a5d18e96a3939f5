import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { enterScope } from '../../lib/tensor/scope';
import { memory, ones, tidy, version } from '../../lib/index';

const limitMB = 600;

test('the addon registered for the experimental Node-API, without which a loop frees nothing', () => {
  expect(version().napi).toBe(2147483647);
});

test('a synchronous loop without a scope takes less than 600 MB in a process of its own', () => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [join(__dirname, 'loop.cjs'), join(__dirname, '../../dist')],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  const { grownMB, tensors, step } = JSON.parse(stdout) as {
    grownMB: number;
    tensors: number;
    step: number;
  };
  expect(grownMB).toBeLessThan(limitMB);
  expect(tensors).toBeLessThan(1000);
  expect(step).toBe(1);
});

test('and so it does inside jest', () => {
  enterScope(undefined); // the tests' own scope would hold every result
  const x = ones([1024, 1024]);
  const start = process.memoryUsage.rss();
  let peak = 0;
  for (let i = 0; i < 2000; i++) {
    x.add(1);
    if (i % 20 === 0) peak = Math.max(peak, process.memoryUsage.rss());
  }
  x.dispose();
  expect((peak - start) / 1e6).toBeLessThan(limitMB);
});

test('with tidy it needs next to nothing', () => {
  const x = ones([1024, 1024], { device: 'cpu' });
  const start = memory().bytes;
  let most = 0;
  for (let i = 0; i < 500; i++) {
    tidy(() => {
      x.add(1).mul(2);
      most = Math.max(most, memory().bytes - start);
    });
  }
  expect(most).toBeLessThan(9 << 20);
  expect(memory().bytes).toBeLessThanOrEqual(start + 4096);
});

test('views, clones and resizes leave the bytes that V8 was told balanced', () => {
  globalThis.gc?.();
  const before = process.memoryUsage().external;
  tidy(() => {
    for (let i = 0; i < 50; i++) {
      const x = ones([256, 1024]);
      const views = [x.view(-1), x.t(), x.detach()];
      x.resize_([1024, 1024]);
      views[0]?.setData(ones(3));
      if (i % 2) x.dispose();
    }
  });
  globalThis.gc?.();
  expect(Math.abs(process.memoryUsage().external - before)).toBeLessThan(1 << 20);
});
