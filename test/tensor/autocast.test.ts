import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  autocast,
  autocastDtype,
  nn,
  ops,
  randn,
  tensor,
  type AutocastDType,
} from '../../lib/index';
import { camelCase } from '../../lib/ops/schema';
import { onCpuOnly } from '../support/cuda';
import { decode, type Encoded } from '../support/encoded';
import { expectClose, numbers, thrown } from '../support/tensors';

// Autocast of the CPU, whose list of operators is another than a GPU's.
onCpuOnly();

// What PyTorch gave for the same inputs; amp.py beside it says how.
const { autocast: cases } = JSON.parse(
  readFileSync(join(__dirname, '../golden/amp.json'), 'utf8'),
) as { autocast: { dtype: AutocastDType; op: string; args: unknown[]; result: Encoded }[] };

// One unit in the last place: kernels of another machine may add up in another order.
const tolerance = { float16: 2 ** -10, bfloat16: 2 ** -7, float32: 1e-6 } as Record<string, number>;

test.each(cases)('$op in $dtype gives what PyTorch gives', ({ dtype, op, args, result }) => {
  const call = (ops as unknown as Record<string, (...all: unknown[]) => ReturnType<typeof tensor>>)[
    camelCase(op)
  ]!;
  const actual = autocast({ dtype }, () => call(...(decode(args) as unknown[])));
  expect([actual.dtype, actual.shape]).toEqual([result.dtype, result.shape]);
  expectClose(actual, result.data.map(Number), tolerance[result.dtype]);
});

const a = () => randn([2, 2]);
const productOf = (options: Parameters<typeof autocast>[0]) =>
  autocast(options, () => a().matmul(a()).dtype);

test('native modules compute in the half type, and parameters get float32 gradients', () => {
  const model = new nn.Sequential(new nn.Linear(3, 4), new nn.ReLU(), new nn.Linear(4, 2));
  const pred = autocast({ dtype: 'bfloat16' }, () => model.forward(randn([5, 3])));
  expect(pred.dtype).toBe('bfloat16');
  pred.float().sum().backward();
  expect(model.parameters().map(({ dtype, grad }) => [dtype, grad!.dtype])).toEqual(
    Array(4).fill(['float32', 'float32']),
  );
  model.dispose();
});

test('each device has its own dtype where none is given', () => {
  const inside = autocast({}, () => [autocastDtype('cpu'), autocastDtype('cuda')]);
  expect(inside).toEqual(['bfloat16', 'float16']);
  expect(productOf({})).toBe('bfloat16');
  expect(productOf({ device: 'cuda' })).toBe('float32');
  expect(productOf({ device: 'cpu', dtype: 'float16' })).toBe('float16');
});

test('a region within another is an exception, or another dtype, and ends with itself', () => {
  const seen = autocast({ dtype: 'float16' }, () => [
    productOf({ enabled: false }),
    autocastDtype('cpu'),
    productOf({ dtype: 'bfloat16' }),
    autocastDtype('cpu'),
    a().matmul(a()).dtype,
  ]);
  expect(seen).toEqual(['float32', 'float16', 'bfloat16', 'float16', 'float16']);
  expect([autocastDtype('cpu'), autocastDtype('cuda')]).toEqual([undefined, undefined]);
});

test('what the body throws ends the region', () => {
  const fail = () => {
    throw new Error('stop');
  };
  expect(thrown(() => autocast({ dtype: 'float16' }, fail)).message).toBe('stop');
  expect(a().matmul(a()).dtype).toBe('float32');
});

test('a promise is refused, and the region has ended', () => {
  const error = thrown(() => autocast({ dtype: 'bfloat16' }, () => Promise.reject(new Error())));
  expect([error.code, error.message]).toEqual([
    'ERR_TORCH_ARGUMENT',
    'autocast: expected a synchronous function, got one that returns a promise; await outside it',
  ]);
  expect(autocastDtype('cpu')).toBeUndefined();
});

test('casts of parameters are kept until the outermost region ends, unless told otherwise', () => {
  const [w, x] = [tensor([[1]], { requiresGrad: true }), tensor([[1]])];
  const twice = (cacheEnabled: boolean) =>
    autocast({ dtype: 'bfloat16', cacheEnabled }, () => {
      w.detach().fill_(1);
      const before = numbers(x.matmul(w));
      w.detach().fill_(2);
      return [...before, ...autocast({ cacheEnabled }, () => numbers(x.matmul(w)))];
    });
  expect(twice(true)).toEqual([1, 1]);
  expect(twice(false)).toEqual([1, 2]);
  expect(twice(true)).toEqual([1, 1]);
});

test('wrong options are refused', () => {
  for (const [options, message] of [
    [{ dtype: 'float32' }, "autocast: expected dtype 'float16' or 'bfloat16', got 'float32'"],
    [{ device: 'cuda:0' }, "autocast: expected device 'cpu' or 'cuda', got 'cuda:0'"],
    [{ device_type: 'cpu' }, "unknown option 'device_type' (did you mean 'device'?)"],
  ] as const) {
    expect(thrown(() => autocast(options as object, a)).message).toContain(message);
  }
  expect(thrown(() => autocastDtype('tpu' as never)).message).toContain("got 'tpu'");
  // @ts-expect-error a half type is needed.
  const wrong: AutocastDType = 'float32';
  expect(wrong).toBe('float32');
});
