import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Generator, ops, type Tensor, tensor, zeros } from '../../lib/index';
import { camelCase } from '../../lib/ops/schema';
import { functions, methods } from '../../scripts/generate-ops/operators';
import { expectClose, numbers } from '../support/tensors';

// What PyTorch gave for the same inputs; ops.py beside it says how.
interface Encoded {
  shape: number[];
  dtype: 'float64' | 'int64' | 'bool' | 'float32';
  data: (number | boolean | string)[];
}
type Value = Encoded | number | boolean | string | null | Value[];
const { cases } = JSON.parse(readFileSync(join(__dirname, '../golden/ops.json'), 'utf8')) as {
  cases: [string, Value[], Value][];
};

const isEncoded = (value: unknown): value is Encoded =>
  typeof value === 'object' && value !== null && 'dtype' in value;

function decode(value: Value): unknown {
  if (Array.isArray(value)) return value.map(decode);
  if (!isEncoded(value)) return value;
  return tensor(value.data.map(Number), { dtype: value.dtype }).reshape(value.shape);
}

function check(actual: unknown, expected: Value): void {
  if (isEncoded(expected)) {
    const result = actual as Tensor;
    expect([result.dtype, result.shape]).toEqual([expected.dtype, expected.shape]);
    expectClose(result, expected.data.map(Number), 1e-12);
  } else if (Array.isArray(expected)) {
    expect(actual).toHaveLength(expected.length);
    expected.forEach((item, i) => check((actual as unknown[])[i], item));
  } else {
    expect(actual).toEqual(expected);
  }
}

const call = (name: string, args: unknown[]): unknown =>
  (ops as unknown as Record<string, (...args: unknown[]) => unknown>)[camelCase(name)]!(...args);

test.each(cases.map(([name, args, expected], i) => ({ name, args, expected, i })))(
  '$name gives what PyTorch gives (case $i)',
  ({ name, args, expected }) => {
    check(call(name, args.map(decode)), expected);
  },
);

test.each(
  cases
    .filter(([name]) => methods.includes(name))
    .map(([name, args, expected], i) => ({ name, args, expected, i })),
)('the method $name does the same (case $i)', ({ name, args, expected }) => {
  const [self, ...rest] = args.map(decode);
  const method = (self as Record<string, (...args: unknown[]) => unknown>)[camelCase(name)]!;
  const result = method.call(self, ...rest);
  check(result, expected);
  if (name.endsWith('_')) expect(result).toBe(self);
});

test('every listed operator but the random and the trivial ones has a case', () => {
  const known = new Set(cases.map(([name]) => name));
  expect([...methods, ...functions].filter((name) => !known.has(name))).toMatchInlineSnapshot(`
   [
     "normal_",
     "uniform_",
     "bernoulli_",
     "random_",
     "exponential_",
     "resize_",
     "detach_",
     "detach",
     "unique_consecutive",
     "multinomial",
     "empty_like",
     "rand_like",
     "randn_like",
     "new_empty",
     "view_as_real",
     "type_as",
     "is_pinned",
     "is_set_to",
     "meshgrid",
     "linalg_svd",
     "linalg_qr",
     "linalg_eigh",
   ]
  `);
});

// Those without a case above: random ones follow the seed, the others are checked here.
test('random fills follow the generator, as in PyTorch', () => {
  // g = torch.Generator().manual_seed(3); torch.empty(3).normal_(1, 2, generator=g), then uniform_(2, 3), then bernoulli_(0.5)
  const [generator, here] = [new Generator({ seed: 3 }), { device: 'cpu' } as const];
  expectClose(
    zeros(3, here).normal_(1, 2, { generator }),
    [2.6065521240234375, 1.3496668338775635, 1.177956223487854],
  );
  expectClose(
    zeros(3, here).uniform_(2, 3, { generator }),
    [2.594421148300171, 2.8878567218780518, 2.45103120803833],
  );
  expect(numbers(zeros(6, here).bernoulli_(0.5, { generator }))).toEqual([1, 1, 0, 0, 0, 0]);
  expect(numbers(ops.multinomial(tensor([0, 1, 0]), 1))).toEqual([1]);
  expect(zeros(4).random_(5, 6).toArray()).toEqual([5, 5, 5, 5]);
  expect(zeros(4).exponential_().toArray()).not.toEqual([0, 0, 0, 0]);
});

test('decompositions multiply back', () => {
  const a = tensor(
    [
      [4, 1],
      [1, 3],
    ],
    { dtype: 'float64' },
  );
  const [q, r] = ops.linalgQr(a);
  expectClose(q.matmul(r), numbers(a), 1e-12);
  const [u, s, vh] = ops.linalgSvd(a);
  expectClose(u.mul(s).matmul(vh), numbers(a), 1e-12);
  const [values, vectors] = ops.linalgEigh(a);
  expectClose(vectors.mul(values).matmul(vectors.t()), numbers(a), 1e-12);
});

test('shapes and types of the rest', () => {
  const x = tensor([
    [1, 1, 2],
    [3, 3, 3],
  ]);
  expect(x.uniqueConsecutive()[0].toArray()).toEqual([1, 2, 3]);
  expect([
    x.emptyLike().shape,
    x.randLike().shape,
    x.randnLike().shape,
    x.newEmpty([4]).shape,
  ]).toEqual([[2, 3], [2, 3], [2, 3], [4]]);
  expect(
    ops.meshgrid([tensor([1, 2]), tensor([3])], { indexing: 'ij' }).map((each) => each.toArray()),
  ).toEqual([
    [[1], [2]],
    [[3], [3]],
  ]);
  expect(ops.aten.complex!(tensor([1]), tensor([2]))).toMatchObject({ dtype: 'complex64' });
  expect((ops.aten.complex!(tensor([1]), tensor([2])) as Tensor).viewAsReal().toArray()).toEqual([
    [1, 2],
  ]);
  expect(x.typeAs(tensor([1n])).dtype).toBe('int64');
  expect(x.isPinned()).toBe(false);
  expect([x.detach(), x.clone(), x.t()].map((other) => x.isSetTo(other))).toEqual([
    true,
    false,
    false,
  ]);
  expect(tensor([1, 2, 3]).resize_([2]).toArray()).toEqual([1, 2]);
  const leaf = tensor([1], { requiresGrad: true });
  expect(leaf.mul(2).detach().requiresGrad).toBe(false);
  expect(leaf.mul(2).detach_().requiresGrad).toBe(false);
});
