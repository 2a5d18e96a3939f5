import { autograd, nn, noGrad, ones, randn, tensor, type Tensor } from '../../lib/index';
import { native } from '../../lib/internal/binding';
import { onGpu } from '../support/cuda';
import { numbers, thrown } from '../support/tensors';

// On a machine with a GPU, a pass that may fire hooks runs on another thread than JavaScript's: here as if there were one.
beforeEach(() => jest.spyOn(native, 'cudaDeviceCount').mockReturnValue(1));
afterEach(() => jest.restoreAllMocks());

const leaf = (...values: number[]): Tensor => tensor(values, { requiresGrad: true });

test('hooks see and replace gradients', () => {
  const [x, seen] = [leaf(1, 2), [] as number[][]];
  const y = x.mul(3);
  y.registerHook((grad) => void seen.push(numbers(grad)));
  y.registerHook((grad) => grad.mul(2));
  x.registerHook((grad) => grad.add(1));
  y.sum().backward();
  expect(seen).toEqual([[1, 1]]);
  expect(numbers(x.grad!)).toEqual([7, 7]);
});

test('what a hook throws comes out of backward as it was thrown', () => {
  const [x, stop] = [leaf(1), new Error('stop')];
  x.registerHook(() => {
    throw stop;
  });
  expect(thrown(() => x.mul(2).backward())).toBe(stop);
  expect(x.grad).toBeNull();
});

test('what libtorch refuses comes out as well', () => {
  const x = leaf(1);
  x.registerHook((grad) => grad);
  const y = x.mul(x);
  y.backward();
  expect(thrown(() => y.backward()).message).toMatch(/backward through the graph a second time/);
});

test('a hook may run a pass of its own, with hooks', () => {
  const [x, z, seen] = [leaf(2), leaf(5), [] as string[]];
  z.registerHook((grad) => void seen.push(`inner ${grad.item()}`));
  x.registerHook((grad) => {
    autograd.enableGrad(() => z.mul(z).backward());
    seen.push(`outer ${grad.item()}`);
  });
  x.mul(3).backward();
  expect(seen).toEqual(['inner 10', 'outer 3']);
  expect(z.grad?.item()).toBe(10);
});

test('gradients of gradients, and the modes of the caller', () => {
  const [x, seen] = [leaf(3), [] as number[]];
  x.registerHook((grad) => void seen.push(grad.item()));
  const [first] = autograd.grad(x.pow(3), x, { createGraph: true });
  const [second] = autograd.grad(first!, x);
  expect([first!.item(), second!.item()]).toEqual([27, 18]);
  expect(seen).toEqual([27, 18]);
  expect(noGrad(() => first!.mul(2).requiresGrad)).toBe(false);
});

test('native modules train under hooks', () => {
  const layer = new nn.Linear(3, 2);
  let norm = 0;
  const hook = layer.weight.registerHook((grad) => void (norm = grad.norm().item()));
  layer
    .forward(ones([4, 3]))
    .sum()
    .backward();
  expect(norm).toBeCloseTo(layer.weight.grad!.norm().item(), 6);
  expect(norm).toBeGreaterThan(0);
  hook.remove();
  layer.dispose();
});

onGpu('hooks run for what lies on a GPU', () => {
  const x = randn([4], { device: 'cuda', requiresGrad: true });
  const seen: string[] = [];
  const y = x.mul(2);
  y.registerHook((grad) => {
    seen.push(grad.device);
    return grad.mul(5);
  });
  y.sum().backward();
  expect(seen).toEqual(['cuda:0']);
  expect(numbers(x.grad!)).toEqual([10, 10, 10, 10]);
});
