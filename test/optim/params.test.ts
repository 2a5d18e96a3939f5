import { ArgumentError } from '../../lib/internal/errors';
import { Optimizer, sgdStep, type Params } from '../../lib/optim';
import { tensor } from '../../lib/tensor/create';
import type { Tensor } from '../../lib/tensor/tensor';
import { param } from './support';

const make = (params: Params): Optimizer => new Optimizer(params, [sgdStep], { lr: 1 });
const sizes = (opt: Optimizer): number[] => opt.paramLists.map((group) => group.length);

function* each<T>(...items: T[]): Generator<T> {
  yield* items;
}

test('a tensor is one group of one', () => {
  const p = param([1]);
  expect(make(p).paramLists).toEqual([[p]]);
});

test('tensors in an array, a generator or a Map are one group', () => {
  const [a, b] = [param([1]), param([2])];
  expect(sizes(make([a, b]))).toEqual([2]);
  expect(sizes(make(each(a, b)))).toEqual([2]);
  expect(sizes(make(new Map([['a', a]]).values()))).toEqual([1]);
});

test('iterables of tensors are groups, generators among them', () => {
  const [a, b, c] = [param([1]), param([2]), param([3])];
  expect(sizes(make([[a, b], each(c)]))).toEqual([2, 1]);
  expect(sizes(make(each<Iterable<Tensor>>(each(a), [b, c])))).toEqual([1, 2]);
});

test('a group may be empty', () => {
  expect(sizes(make([[], [param([1])]]))).toEqual([0, 1]);
});

test.each<[string, unknown]>([
  ['nothing', []],
  ['groups with nothing', [[], []]],
  [
    'a generator that was read',
    (() => {
      const read = each<Tensor>();
      read.next();
      return read;
    })(),
  ],
])('%s is refused', (_, params) => {
  expect(() => make(params as Params)).toThrow(
    'Optimizer: expected at least one parameter, got none',
  );
});

test('what is no tensor is refused by its place', () => {
  const a = param([1]);
  expect(() => make([a, 3] as unknown as Tensor[])).toThrow('expected tensors in group 0, got 3');
  expect(() => make([a, [a]] as unknown as Tensor[])).toThrow('expected tensors in group 0, got [');
  expect(() => make([[a], param([2])] as unknown as Tensor[][])).toThrow(
    'expected groups, as the first item is one, got Tensor ([2]',
  );
  expect(() => make('model' as unknown as Tensor[])).toThrow(
    "expected parameters or groups, got 'model'",
  );
  expect(() => make(undefined as unknown as Tensor[])).toThrow(ArgumentError);
});

test('a parameter that comes twice is refused with its groups', () => {
  const [a, b] = [param([1]), param([2])];
  expect(() => make([[a], [b, a]])).toThrow(
    'expected each parameter once, got one in group 0 and in group 1',
  );
});

test('the result of an operator is refused', () => {
  const p = tensor([1], { requiresGrad: true });
  expect(() => make(p.mul(2))).toThrow('expected leaves in group 0, got a result of MulBackward');
});

test('a disposed tensor is refused', () => {
  const p = param([1]);
  p.dispose();
  expect(() => make(p)).toThrow(expect.objectContaining({ code: 'ERR_TORCH_DISPOSED' }) as Error);
});
