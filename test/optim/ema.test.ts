import { EMA } from '../../lib/optim';
import { noGrad } from '../../lib/tensor/autograd';
import { tensor } from '../../lib/tensor/create';
import { tidy } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { expectClose, values } from './support';

function make(options?: ConstructorParameters<typeof EMA>[1]): { p: Tensor; ema: EMA } {
  const p = tensor([1, 10], { requiresGrad: true });
  return { p, ema: new EMA(p, options) };
}

const set = (p: Tensor, to: number[]): void => void noGrad(() => p.copy_(tensor(to)));

test('update moves the averages by one minus the decay', () => {
  const { p, ema } = make({ decay: 0.9 });
  let expected = [1, 10];
  for (const to of [
    [2, 20],
    [4, 0],
    [0, 5],
  ]) {
    set(p, to);
    ema.update();
    expected = expected.map((average, i) => 0.9 * average + 0.1 * to[i]!);
  }
  expectClose(ema.averages[0]!, expected);
  expect(ema.updates).toBe(3);
  ema.dispose();
});

test('warmup begins with a smaller decay', () => {
  const { p, ema } = make({ decay: 0.999, warmup: true });
  set(p, [12, 21]);
  ema.update();
  expectClose(ema.averages[0]!, [12 + (1 - 12) * (2 / 11), 21 + (10 - 21) * (2 / 11)]);
  ema.dispose();
});

test('use runs with the averages as weights and puts the weights back, also after an error', () => {
  const { p, ema } = make();
  set(p, [5, 5]);
  expect(ema.use(() => values(p))).toEqual([1, 10]);
  expect(() =>
    ema.use(() => {
      throw new Error('mine');
    }),
  ).toThrow('mine');
  expect(values(p)).toEqual([5, 5]);
  expect(values(ema.averages[0]!)).toEqual([1, 10]);
  expect(() => ema.use(() => Promise.resolve())).toThrow(
    'EMA.use: expected a synchronous function',
  );
  expect(values(p)).toEqual([5, 5]);
  ema.dispose();
});

test('copyToParams puts the averages into the weights for good', () => {
  const { p, ema } = make();
  set(p, [5, 5]);
  ema.copyToParams();
  expect(values(p)).toEqual([1, 10]);
  expect(p.requiresGrad).toBe(true);
  ema.dispose();
});

test('averages outlive the scope in which they were made', () => {
  const p = tensor([1, 2]);
  const ema = tidy(() => new EMA([p], { decay: 0.5 }));
  set(p, [3, 4]);
  tidy(() => ema.update());
  expect(values(ema.averages[0]!)).toEqual([2, 3]);
  ema.dispose();
});

test('a saved average goes on where it was', () => {
  const [one, other] = [make({ decay: 0.5, warmup: true }), make({ decay: 0.5, warmup: true })];
  set(one.p, [3, 4]);
  one.ema.update();
  other.ema.loadStateDict(one.ema.stateDict());
  for (const { p, ema } of [one, other]) {
    set(p, [7, 8]);
    ema.update();
  }
  expect(values(other.ema.averages[0]!)).toEqual(values(one.ema.averages[0]!));
  expect(other.ema.updates).toBe(2);
  one.ema.dispose();
  other.ema.dispose();
});

test('misuse is refused', () => {
  const { ema } = make();
  expect(() => new EMA(tensor([1]), { decay: 1 })).toThrow(
    'EMA: expected decay from 0 up to but without 1, got 1',
  );
  expect(() => ema.loadStateDict({ updates: 1, averages: [tensor([1])] })).toThrow(
    'EMA.loadStateDict: expected averages of shapes [2], got [1]',
  );
  ema.dispose();
  expect(() => ema.update()).toThrow('EMA.update: these averages were disposed');
});
