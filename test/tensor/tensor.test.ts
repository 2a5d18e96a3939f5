import { inspect } from 'node:util';
import {
  arange,
  full,
  getDefaultDevice,
  ones,
  randn,
  Tensor,
  tensor,
  zeros,
} from '../../lib/index';
import { onCpuOnly, onTestDevice } from '../support/cuda';
import { thrown } from '../support/tensors';

describe('attributes', () => {
  test('shape, strides, ndim, numel, dtype, device', () => {
    const x = zeros([2, 3]);
    expect([x.shape, x.strides, x.ndim, x.numel, x.dtype, x.device]).toEqual([
      [2, 3],
      [3, 1],
      2,
      6,
      'float32',
      getDefaultDevice(),
    ]);
    expect(x.t().strides).toEqual([1, 3]);
    expect([x.isContiguous, x.t().isContiguous]).toEqual([true, false]);
  });

  test('shape is read afresh', () => {
    const x = zeros([4]);
    x.resize_([2, 2]);
    expect(x.shape).toEqual([2, 2]);
  });

  test('version counts changes, also through views', () => {
    const x = zeros(2);
    const before = x.version;
    x.view(2, 1).add_(1);
    expect(x.version).toBe(before + 1);
  });

  test('users do not construct tensors', () => {
    expect(thrown(() => new Tensor([1, 2] as never)).message).toContain('use tensor(...)');
    expect(thrown(() => new Tensor(undefined as never)).code).toBe('ERR_TORCH_ARGUMENT');
  });
});

describe('reading', () => {
  test('item gives numbers, booleans, and refuses more than one element', () => {
    expect(tensor(2.5).item()).toBe(2.5);
    expect(tensor([[7n]]).item()).toBe(7);
    expect(tensor(true).item()).toBe(1);
    expect(thrown(() => zeros(2).item()).message).toBe(
      `item: expected a Tensor of one element, got float32[2]${onTestDevice}; use toArray() or data()`,
    );
    expect(thrown(() => zeros(0).item()).code).toBe('ERR_TORCH_ARGUMENT');
  });

  test('data and toArray follow the logical order of views', () => {
    const x = arange(6, { dtype: 'float32' }).view(2, 3).t();
    expect(Array.from(x.data(), Number)).toEqual([0, 3, 1, 4, 2, 5]);
    expect(x.toArray()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]);
    expect(zeros([2, 0]).toArray()).toEqual([[], []]);
  });

  test('NaN, infinities and -0 survive', () => {
    expect(tensor([NaN, Infinity, -Infinity, -0]).toArray()).toEqual([
      NaN,
      Infinity,
      -Infinity,
      -0,
    ]);
    expect(Object.is(tensor([0]).mul(-0).item(), -0)).toBe(true);
  });

  test('complex numbers are refused with a way out', () => {
    expect(thrown(() => zeros(1, { dtype: 'complex64' }).data()).message).toContain('viewAsReal()');
  });
});

describe('to', () => {
  test('takes a dtype, a device, a tensor, or options', () => {
    const x = tensor([1.7]);
    expect(x.to('int32').toArray()).toEqual([1]);
    expect(x.to('cpu').dtype).toBe('float32');
    expect(x.to(tensor([1n])).dtype).toBe('int64');
    expect(x.to({ dtype: 'float64', device: 'cpu' }).dtype).toBe('float64');
    expect([x.double().dtype, x.long().dtype, x.bool().dtype, x.double().float().dtype]).toEqual([
      'float64',
      'int64',
      'bool',
      'float32',
    ]);
    expect(randn([1, 2, 3, 3]).to({ memoryFormat: 'channels_last' }).strides).toEqual([
      18, 1, 6, 2,
    ]);
  });

  test('shares memory unless it must copy or is asked to', () => {
    const x = ones(1);
    x.to('float32').add_(1);
    expect(x.item()).toBe(2);
    x.to('float32', { copy: true }).add_(1);
    expect(x.item()).toBe(2);
  });

  test('a device that is not there is refused, not fatal', () => {
    expect(thrown(() => ones(1).to('cuda:99'))).toMatchObject({
      code: expect.stringMatching(/^ERR_TORCH/),
    });
    expect(thrown(() => ones(1).to('nowhere' as never)).message).toContain("got 'nowhere'");
  });
});

describe('printing', () => {
  // On a GPU it tells the device as well.
  onCpuOnly();

  test('shows values, dtype and whether it needs gradients', () => {
    expect(
      String(
        tensor([
          [1, 2],
          [3, 4.5],
        ]),
      ),
    ).toBe('tensor([[1, 2],\n        [3, 4.5]], float32)');
    expect(String(tensor(1, { requiresGrad: true }))).toBe('tensor(1, float32, requiresGrad)');
    expect(inspect(tensor([true]))).toBe('Tensor ([true], bool)');
    expect(String(zeros([0, 3]))).toBe('tensor([], shape [0, 3], float32)');
  });

  test('leaves out the middle of long ones', () => {
    expect(String(full(2000, 7))).toBe('tensor([7, 7, 7, ..., 7, 7, 7], float32)');
    expect(inspect(arange(200))).toBe('Tensor ([0, 1, 2, ..., 197, 198, 199], int64)');
  });
});
