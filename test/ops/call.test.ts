import { arange, ones, ops, tensor, zeros } from '../../lib/index';
import { thrown } from '../support/tensors';

describe('arguments', () => {
  const x = () => arange(6, { dtype: 'float32' }).view(2, 3);

  test('go by position, in an object, or both', () => {
    expect(x().sum(1, true).shape).toEqual([2, 1]);
    expect(x().sum(1, { keepdim: true }).shape).toEqual([2, 1]);
    expect(x().sum([0, 1]).item()).toBe(15);
    expect(x().add(1, { alpha: 2 }).toArray()).toEqual([
      [2, 3, 4],
      [5, 6, 7],
    ]);
    expect(x().flatten({ startDim: 0 }).shape).toEqual([6]);
    expect(x().clamp({ max: 2 }).toArray()).toEqual([
      [0, 1, 2],
      [2, 2, 2],
    ]);
  });

  test('sizes may be spread over a method', () => {
    expect(x().view(3, 2).shape).toEqual([3, 2]);
    expect(x().view([3, 2]).shape).toEqual([3, 2]);
    expect(x().permute(1, 0).shape).toEqual([3, 2]);
    expect(ones([1, 3]).expand(2, 3).shape).toEqual([2, 3]);
  });

  test('one number stands for all places of a fixed list', () => {
    expect(ops.maxPool2d(zeros([1, 1, 4, 4]), 2).shape).toEqual([1, 1, 2, 2]);
    expect(ops.conv2d(zeros([1, 1, 4, 4]), zeros([1, 1, 3, 3]), { padding: 1 }).shape).toEqual([
      1, 1, 4, 4,
    ]);
    expect(ops.conv2d(zeros([1, 1, 4, 4]), zeros([1, 1, 3, 3]), { padding: 'same' }).shape).toEqual(
      [1, 1, 4, 4],
    );
  });

  test('integers stay integers, fractions make floating point', () => {
    const n = tensor([1n, 2n]);
    expect(n.mul(2).dtype).toBe('int64');
    expect(n.mul(1.5).dtype).toBe('float32');
    expect(n.add(2n ** 53n).data()).toEqual(new BigInt64Array([2n ** 53n + 1n, 2n ** 53n + 2n]));
  });

  test('null is the absent tensor, undefined the default', () => {
    expect(ops.linear(ones([1, 2]), ones([1, 2]), null).item()).toBe(2);
    expect(x().sum(undefined).item()).toBe(15);
  });
});

describe('results', () => {
  test('an in-place operator returns the very object', () => {
    const x = zeros(2);
    expect(x.add_(1)).toBe(x);
    expect(x.toArray()).toEqual([1, 1]);
  });

  test('any other returns a new one, also where libtorch gives the same tensor', () => {
    const x = zeros(2);
    const y = x.contiguous();
    expect(y).not.toBe(x);
    y.dispose();
    expect(x.toArray()).toEqual([0, 0]);
    expect(x.to('float32')).not.toBe(x);
  });

  test('several results come as an array', () => {
    const [values, indices] = tensor([3, 1, 2]).sort();
    expect([values.toArray(), indices.toArray()]).toEqual([
      [1, 2, 3],
      [1, 2, 0],
    ]);
  });

  test('numbers, booleans and lists of tensors come as such', () => {
    expect(zeros(2).equal(zeros(2))).toBe(true);
    expect(
      tensor([1, 2, 3])
        .split(2)
        .map((part) => part.toArray()),
    ).toEqual([[1, 2], [3]]);
  });
});

describe('errors', () => {
  test("name the operator, what came, and keep libtorch's backtrace out of the message", () => {
    const error = thrown(() => ones([2, 3]).matmul(ones([4, 5])));
    expect(error).toMatchObject({ name: 'TorchError', code: 'ERR_TORCH', op: 'matmul' });
    expect(error.received).toContain('float32[2, 3]');
    expect(error.received).toContain('float32[4, 5]');
    expect(error.message).not.toMatch(/frame #|\.so|\.cpp/);
    expect(error.cause?.message).toContain('frame #');
  });

  test.each<[string, () => unknown, RegExp]>([
    [
      'a wrong kind',
      () => ones(2).add('x' as never),
      /add: no overload takes \(Tensor float32\[2\], 'x'\)/,
    ],
    [
      'too many',
      () => (ones(2) as never as { relu(x: number): unknown }).relu(1),
      /relu: no overload takes/,
    ],
    [
      'too few',
      () => (ones(2) as never as { matmul(): unknown }).matmul(),
      /matmul: no overload takes \(Tensor float32\[2\]\)/,
    ],
    ['an unknown option', () => ones(2).sum({ keepDim: true } as never), /keepDim: true.*keepdim/],
    ['an option twice', () => ones(2).sum(0, true, { keepdim: true } as never), /sum: no overload/],
    [
      'a plain number for a tensor',
      () => ops.matmul(3 as never, ones(2)),
      /no overload takes \(3,/,
    ],
    ['a fraction for an integer', () => ones(2).sum(0.5), /no overload/],
    ['a list with a hole', () => ops.cat([ones(1), undefined as never]), /no overload/],
    ['an unknown dtype', () => ones(2).sum({ dtype: 'float' as never }), /dtype/],
    ['a function', () => ones(2).add((() => 1) as never), /a function/],
    ['a dimension out of range', () => ones(2).sum(4), /sum\.dim_IntList: Dimension out of range/],
    ['a bigint beyond int64', () => ones(2).add(2n ** 70n), /outside the range of int64/],
  ])('refuse %s', (_, body, message) => {
    const error = thrown(body);
    expect(error.code).toMatch(/^ERR_TORCH/);
    expect(error.message).toMatch(message);
  });

  test('a disposed tensor is named as such', () => {
    const x = ones(2);
    x.dispose();
    x.dispose();
    expect(thrown(() => x.add(1))).toMatchObject({
      name: 'DisposedError',
      code: 'ERR_TORCH_DISPOSED',
    });
    expect(thrown(() => x.shape).code).toBe('ERR_TORCH_DISPOSED');
    expect(String(x)).toBe('tensor(disposed)');
  });

  test('a method called on something else says so', () => {
    expect(
      thrown(() => (ones(2).add as (this: unknown, other: number) => unknown).call({}, 1)).code,
    ).toBe('ERR_TORCH_ARGUMENT');
  });
});
