import { aten } from '../../lib/ops';
import { Adam, Nadam, OptimWrapper, SGD, slice, torchOptim } from '../../lib/optim';
import { tensor } from '../../lib/tensor/create';
import type { Tensor } from '../../lib/tensor/tensor';
import { expectClose, param, values } from './support';

test('addParamGroup takes the hypers of the last group, and those given', () => {
  const [a, b, c] = [param([1], [1]), param([2], [1]), param([3], [1])];
  const opt = SGD([[a], [b]], { lr: slice(1e-3, 1e-1), wd: 0.5 });
  opt.addParamGroup([c], { wd: 0 });
  expect(opt.paramLists).toEqual([[a], [b], [c]]);
  expect(opt.hypers.map(({ wd }) => wd)).toEqual([0.5, 0.5, 0]);
  expectClose(opt.hypers[2]!.lr!, 0.1);
  opt.step();
  expectClose(c, [3 - 0.1]);
});

test('addParamGroup also takes one tensor, and steps it when all others are frozen', () => {
  const [a, b] = [param([1], [1]), param([2], [1])];
  const opt = SGD(a, { lr: 1 });
  opt.freezeTo(1);
  opt.addParamGroup(b);
  opt.step();
  expect([values(a), values(b)]).toEqual([[1], [1]]);
});

test('the state of a group from before goes on when one is added', () => {
  const p = param([1], [1]);
  const opt = Nadam(p, { lr: 0.1 });
  opt.step();
  opt.addParamGroup(param([1], [1]), { lr: 0 });
  opt.step();
  expect(opt.allParams().map(([, , { step }]) => step)).toEqual([2, 1]);
  opt.dispose();
});

test.each([
  ['expected at least one parameter, got none', () => [[]]],
  ['expected each parameter once, got one in group 0 and in group 1', (p: unknown) => [[p]]],
  ["addParamGroup: no callback reads 'momentum'", () => [[tensor([1])], { momentum: 1 }]],
  ["setHyper('lr'): got 2 values for 1 parameter groups", () => [[tensor([1])], { lr: [1, 2] }]],
])('addParamGroup refuses what does not fit, and nothing changes: %s', (message, args) => {
  const p = param([1]);
  const opt = SGD([[p]], { lr: 1 });
  expect(() => (opt.addParamGroup as (...all: unknown[]) => void)(...args(p))).toThrow(message);
  expect([opt.paramLists.length, opt.hypers.length]).toEqual([1, 1]);
});

test('a parameter without a gradient is left out, whatever its state', () => {
  const [a, b] = [param([1], [1]), param([2])];
  const opt = Adam([a, b], { lr: 0.1 });
  opt.step();
  expect(values(b)).toEqual([2]);
  expect(opt.state.get(b)).toEqual({});
  opt.dispose();
});

test('a sparse gradient is refused by name, before any parameter is changed', () => {
  const first = param([1], [1]);
  const weight = param([[1], [2], [3]]).requiresGrad_();
  const rows = aten.embedding!.default!(weight, tensor([1n, 2n]), -1, false, true) as Tensor;
  rows.sum().backward();
  const opt = Adam([first, weight], { lr: 1 });
  expect(() => opt.step({ gradScale: 2 })).toThrow(
    'step: expected dense gradients, got a sparse one for a parameter of shape [3, 1]',
  );
  expect([values(first), values(first.grad!)]).toEqual([[1], [1]]);
  expect(opt.state.get(weight)).toEqual({});
  expect(values(weight)).toEqual([1, 2, 3]);
  using wrapped = new OptimWrapper(weight, torchOptim.SGD, { lr: 1 });
  wrapped.step();
  expect(values(weight)).toEqual([1, 1, 2]);
});
