import {
  arange,
  empty,
  eye,
  full,
  Generator,
  linspace,
  manualSeed,
  ones,
  rand,
  randint,
  randn,
  randperm,
  Tensor,
  tensor,
  type TensorLike,
  type TensorOptions,
  zeros,
} from '../../lib/index';
import { onCpuOnly } from '../support/cuda';
import { thrown } from '../support/tensors';

describe('tensor', () => {
  test('makes float32 of numbers, int64 of bigints, bool of booleans', () => {
    expect(tensor([1, 2.5]).dtype).toBe('float32');
    expect(tensor([1n, 2n]).dtype).toBe('int64');
    expect(tensor([true, false]).dtype).toBe('bool');
    expect(tensor(3).shape).toEqual([]);
    expect(tensor([true, false]).toArray()).toEqual([true, false]);
  });

  test.each([
    [new Float32Array([1.5, -2]), 'float32'],
    [new Float64Array([0.1, 2]), 'float64'],
    [new Int8Array([-1, 2]), 'int8'],
    [new Uint8Array([1, 255]), 'uint8'],
    [new Uint8ClampedArray([1, 255]), 'uint8'],
    [new Int16Array([-300, 2]), 'int16'],
    [new Uint16Array([1, 65535]), 'uint16'],
    [new Int32Array([-70000, 2]), 'int32'],
    [new Uint32Array([1, 4294967295]), 'uint32'],
    [new BigInt64Array([-1n, 2n ** 60n]), 'int64'],
    [new BigUint64Array([1n, 2n ** 64n - 1n]), 'uint64'],
  ])('takes the dtype of a TypedArray and gives it back: %p', (array, dtype) => {
    const made = tensor(array);
    expect(made.dtype).toBe(dtype);
    expect([...made.data()]).toEqual([...array]);
  });

  test('copies: the source and the tensor are independent', () => {
    const source = new Float32Array([1, 2]);
    const made = tensor(source);
    source[0] = 9;
    const data = made.data();
    data[1] = 7;
    expect(made.toArray()).toEqual([1, 2]);
  });

  test('nests, also TypedArrays inside arrays', () => {
    expect(
      tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]).shape,
    ).toEqual([3, 2]);
    expect(tensor([new Float64Array([1, 2]), new Float64Array([3, 4])]).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
    expect(tensor([]).toArray()).toEqual([]);
  });

  test('reads half types back as float32', () => {
    const half = tensor([1.5, 65504, 1e-8], { dtype: 'float16' });
    expect(half.data()).toBeInstanceOf(Float32Array);
    expect(half.toArray()).toEqual([1.5, 65504, 0]);
    expect(tensor([1.00390625, 3], { dtype: 'bfloat16' }).toArray()).toEqual([1, 3]);
  });

  test('keeps every safe integer, and gives larger ones by data() alone', () => {
    expect(tensor([Number.MAX_SAFE_INTEGER], { dtype: 'int64' }).toArray()).toEqual([
      Number.MAX_SAFE_INTEGER,
    ]);
    const large = tensor([2n ** 62n]);
    expect(thrown(() => large.toArray())).toMatchObject({
      code: 'ERR_TORCH_ARGUMENT',
      message: expect.stringContaining('data()'),
    });
    expect(thrown(() => large.item()).message).toContain('data()');
    expect(large.data()).toEqual(new BigInt64Array([2n ** 62n]));
  });

  test('copies and detaches a tensor', () => {
    const source = tensor([1, 2], { requiresGrad: true });
    const copy = tensor(source, { dtype: 'float64' });
    expect([copy.dtype, copy.requiresGrad, copy.isLeaf]).toEqual(['float64', false, true]);
    copy.fill_(0);
    expect(source.toArray()).toEqual([1, 2]);
  });

  test.each([
    [[[1, 2], [3]], /expected 2 values at depth 1.*got 1 values/],
    [[1, [2]], /expected a number at depth 1.*got 1 values/],
    [['a'], /expected numbers, got 'a'/],
    [[1n, 2], /bigints can't be mixed/],
    [{ a: 1 }, /expected numbers, got/],
    [null, /expected numbers, got null/],
    [undefined, /expected numbers, got undefined/],
    [new DataView(new ArrayBuffer(2)), /expected numbers/],
  ])('refuses %p', (data, message) => {
    const error = thrown(() => tensor(data as never));
    expect(error.code).toBe('ERR_TORCH_ARGUMENT');
    expect(error.message).toMatch(message);
  });

  test('refuses unknown options, dtypes and devices', () => {
    expect(thrown(() => tensor([1], { type: 'float32' } as never))).toMatchObject({
      code: 'ERR_TORCH_UNKNOWN_OPTION',
    });
    expect(thrown(() => tensor([1], { dtype: 'float' as never })).message).toContain("got 'float'");
    expect(thrown(() => zeros([1], { device: 'gpu' as never })).message).toContain("got 'gpu'");
    expect(thrown(() => zeros([1], { device: 'cuda:x' as never })).message).toContain(
      "got 'cuda:x'",
    );
    expect(thrown(() => tensor([1n], { requiresGrad: true })).message).toMatch(/floating point/i);
  });
});

describe('limits', () => {
  test('Tensor.from is tensor', () => {
    expect(Tensor.from([1, 2], { dtype: 'int32' }).toArray()).toEqual([1, 2]);
  });

  test('an array that holds itself, or is nested too deep, is refused', () => {
    const ring: unknown[] = [];
    ring.push(ring);
    expect(thrown(() => tensor(ring as never)).message).toContain('nested at most 64 deep');
  });

  test.each<[TensorLike, TensorOptions]>([
    [[2n ** 64n + 5n], {}],
    [[300], { dtype: 'uint8' }],
    [[-1], { dtype: 'uint16' }],
    [[1e30], { dtype: 'int32' }],
    [[NaN], { dtype: 'int64' }],
  ])('%p does not fit %p', (data, options) => {
    expect(thrown(() => tensor(data, options))).toMatchObject({
      code: 'ERR_TORCH_ARGUMENT',
      message: expect.stringContaining('expected'),
    });
  });
});

describe('filled tensors', () => {
  test('zeros, ones, full and empty take a shape, a dtype and requiresGrad', () => {
    expect(zeros([2, 2]).toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(ones(3, { dtype: 'int32' }).toArray()).toEqual([1, 1, 1]);
    expect(full([2], 1.5, { requiresGrad: true }).requiresGrad).toBe(true);
    expect([full([1], 2).dtype, full([1], true).dtype, full([1], 2n).dtype]).toEqual([
      'float32',
      'bool',
      'int64',
    ]);
    expect(empty([2, 0, 3]).numel).toBe(0);
  });

  test('arange follows PyTorch: int64 of integers, float32 of fractions', () => {
    expect(arange(3).toArray()).toEqual([0, 1, 2]);
    expect(arange(3).dtype).toBe('int64');
    expect(arange(1, 2, { step: 0.25 }).toArray()).toEqual([1, 1.25, 1.5, 1.75]);
    expect(arange(5, 0, { step: -2 }).toArray()).toEqual([5, 3, 1]);
    expect(thrown(() => arange(0, 5, { step: -1 })).code).toBe('ERR_TORCH');
  });

  test('linspace and eye', () => {
    expect(linspace(0, 1, 5).toArray()).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(eye(2, 3).toArray()).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ]);
  });

  test.each([[-1], [[2, -1]], [[1.5]], ['3'], [null]])('refuses the shape %p', (shape) => {
    expect(thrown(() => zeros(shape as never))).toMatchObject({ code: 'ERR_TORCH_ARGUMENT' });
  });

  test('says so when memory does not suffice', () => {
    expect(thrown(() => empty([2 ** 50])).code).toBe('ERR_TORCH_OUT_OF_MEMORY');
  });
});

describe('random tensors', () => {
  // A GPU draws other numbers.
  onCpuOnly();

  // torch.manual_seed(42); torch.rand(3), torch.randn(2), torch.randperm(5), torch.randint(0, 100, (3,)) of PyTorch 2.13.0
  test('draw what PyTorch draws from the same seed', () => {
    manualSeed(42);
    expect(rand(3).toArray()).toEqual([
      0.8822692632675171, 0.9150039553642273, 0.38286375999450684,
    ]);
    expect(randn(2).toArray()).toEqual([-0.829319179058075, -1.6137069463729858]);
    expect(randperm(5).toArray()).toEqual([4, 3, 0, 1, 2]);
    expect(randint(0, 100, 3).toArray()).toEqual([14, 10, 54]);
  });

  test('a generator is a stream of its own, with a state to save', () => {
    const generator = new Generator({ seed: 7 });
    const first = rand(4, { generator }).toArray();
    const state = generator.getState();
    const second = rand(4, { generator }).toArray();
    generator.setState(state);
    expect(rand(4, { generator }).toArray()).toEqual(second);
    expect(rand(4, { generator: new Generator().manualSeed(7) }).toArray()).toEqual(first);
  });

  test.each([1.5, NaN, 'a', 2 ** 60])('refuses the seed %p', (seed) => {
    expect(thrown(() => manualSeed(seed as never)).code).toBe('ERR_TORCH_ARGUMENT');
  });
});
