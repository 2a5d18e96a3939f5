import {
  DataLoader,
  Generator,
  manualSeed,
  memory,
  Scope,
  tensor,
  tidy,
  type TensorPair,
} from '../../lib/index';
import { numbers, thrown } from '../support/tensors';

function pair(items: number): TensorPair {
  const values = Array.from({ length: items }, (_, i) => i);
  return [tensor(values).view([items, 1]), tensor(values.map(BigInt))];
}

const batches = (loader: DataLoader): number[][] =>
  tidy(() => [...loader].map(([x]) => numbers(x)));

test('batches come in order, the last one shorter', () => {
  const loader = new DataLoader(pair(7), { bs: 3 });
  expect(batches(loader)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
  expect([loader.length, loader.items]).toEqual([3, 7]);
});

test('the last one can be left out', () => {
  const loader = new DataLoader(pair(7), { bs: 3, dropLast: true });
  expect(batches(loader)).toEqual([
    [0, 1, 2],
    [3, 4, 5],
  ]);
  expect(loader.length).toBe(2);
  expect(batches(new DataLoader(pair(2), { bs: 3, dropLast: true }))).toEqual([]);
});

test('inputs and targets stay together, shapes and dtypes too', () => {
  for (const [x, y] of new DataLoader(pair(10), { bs: 4, shuffle: true, seed: 1 })) {
    expect(numbers(x)).toEqual(numbers(y));
    expect([x.dtype, y.dtype, x.shape.slice(1), y.shape.slice(1)]).toEqual([
      'float32',
      'int64',
      [1],
      [],
    ]);
  }
});

test('each epoch has another order of all items, the same for the same seed', () => {
  const epochs = (seed: number) => {
    const loader = new DataLoader(pair(12), { bs: 5, shuffle: true, seed });
    return [batches(loader).flat(), batches(loader).flat()];
  };
  const [first, second] = epochs(3);
  expect(epochs(3)).toEqual([first, second]);
  expect(first).not.toEqual(second);
  expect(epochs(4)[0]).not.toEqual(first);
  expect([...second!].sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i));
});

test('without a seed manualSeed decides; a generator may be shared', () => {
  const run = (loader: DataLoader) => (manualSeed(8), batches(loader));
  const loader = new DataLoader(pair(12), { shuffle: true });
  expect(run(loader)).toEqual(run(loader));
  const generator = new Generator({ seed: 2 });
  const shared = new DataLoader(pair(12), { shuffle: true, generator });
  expect(shared.generator).toBe(generator);
  expect(batches(shared)).toEqual(batches(new DataLoader(pair(12), { shuffle: true, seed: 2 })));
});

test('a transform changes whole batches, and what it makes on the way is freed', () => {
  const loader = new DataLoader(pair(4), { bs: 2, transform: (x, y) => [x.mul(2).add(1), y] });
  expect(batches(loader)).toEqual([
    [1, 3],
    [5, 7],
  ]);
  const before = memory().tensors;
  const made = [...loader];
  expect(memory().tensors - before).toBe(4);
  expect(made).toHaveLength(2);
});

test('a batch belongs to the scope in which it is asked for', () => {
  const iterator = new DataLoader(pair(4), { bs: 2, shuffle: true })[Symbol.iterator]();
  const [first, second] = [new Scope(), new Scope()];
  const [x] = first.run(() => iterator.next()).value as TensorPair;
  const [next] = second.run(() => iterator.next()).value as TensorPair;
  first.dispose();
  expect([x.isDisposed, next.isDisposed]).toEqual([true, false]);
  second.dispose();
});

test('batches are copies', () => {
  const [x, y] = pair(4);
  for (const [xb] of new DataLoader([x, y], { bs: 4 })) xb.zero_();
  expect(numbers(x)).toEqual([0, 1, 2, 3]);
});

test('wrong sizes and options are refused', () => {
  const [x, y] = pair(4);
  expect(thrown(() => new DataLoader([x, y.slice(0, 1)])).message).toMatch(
    /^DataLoader: expected as many inputs as targets, at least one, .* got 4 and 3$/,
  );
  expect(thrown(() => new DataLoader([x.slice(0, 4), y.slice(0, 4)])).message).toMatch(
    /got 0 and 0$/,
  );
  expect(thrown(() => new DataLoader([x] as never)).message).toMatch(
    /^DataLoader: expected a Tensor, got undefined/,
  );
  for (const bs of [0, 1.5, NaN])
    expect(thrown(() => new DataLoader([x, y], { bs })).message).toBe(
      `DataLoader: expected a batch size bs from 1 up, got ${bs}`,
    );
  expect(thrown(() => new DataLoader([x, y], { batchSize: 2 } as object)).message).toMatch(
    /^DataLoader: unknown option 'batchSize' \(did you mean 'bs'\?\)/,
  );
});

test('disposed tensors are found out', () => {
  const [x, y] = pair(4);
  const loader = new DataLoader([x, y]);
  x.dispose();
  expect(thrown(() => [...loader]).code).toBe('ERR_TORCH_DISPOSED');
});
