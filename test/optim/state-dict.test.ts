import { Nadam, SGD, type Optimizer, type OptimizerStateDict } from '../../lib/optim';
import { tensor } from '../../lib/tensor/create';
import { keep } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { param, values } from './support';

function make(): { params: Tensor[]; opt: Optimizer } {
  const params = [param([1, 2], [1, -1]), param([3], [0.5])];
  return { params, opt: Nadam([[params[0]!], [params[1]!]], { lr: [0.1, 0.2] }) };
}

test('a state dict is a copy in the order of the groups', () => {
  const { params, opt } = make();
  opt.state.get(params[1]!).do_wd = false;
  opt.step();
  const saved = opt.stateDict();
  const before = saved.state.map(({ grad_avg }) => values(grad_avg!));
  opt.step();
  opt.setHyper('lr', 9);
  expect(saved.state.map(({ grad_avg }) => values(grad_avg!))).toEqual(before);
  expect(saved.state.map(({ step, do_wd }) => [step, do_wd])).toEqual([
    [1, undefined],
    [1, false],
  ]);
  expect(saved.hypers.map(({ lr }) => lr)).toEqual([0.1, 0.2]);
  opt.dispose();
});

test('an optimizer that loads a state dict goes on bit by bit like the one that gave it', () => {
  const [one, other] = [make(), make()];
  for (let i = 0; i < 3; i++) one.opt.step();
  const saved = one.opt.stateDict();
  other.params.forEach((p, i) => p.copy_(one.params[i]!));
  other.opt.loadStateDict(saved);
  for (const { opt } of [one, other]) for (let i = 0; i < 3; i++) opt.step();
  expect(other.params.map(values)).toEqual(one.params.map(values));
  one.opt.dispose();
  other.opt.dispose();
});

test('loading copies, disposes of the old state and takes over flags', () => {
  const { params, opt } = make();
  const [p] = params as [Tensor];
  opt.state.get(p).force_train = true;
  opt.step();
  const { grad_avg } = opt.state.get(p);
  const mine = tensor([7, 7]);
  opt.loadStateDict({
    state: [{ grad_avg: mine, do_wd: false }, {}],
    hypers: [{ lr: 3 }, { lr: 4 }],
  });
  expect(grad_avg!.isDisposed).toBe(true);
  expect(Object.keys(opt.state.get(p)).sort()).toEqual(['do_wd', 'grad_avg']);
  mine.zero_();
  expect(values(opt.state.get(p).grad_avg!)).toEqual([7, 7]);
  expect(opt.hypers.map(({ lr, mom }) => [lr, mom])).toEqual([
    [3, 0.9],
    [4, 0.9],
  ]);
  opt.dispose();
});

test('an optimizer can load its own live state', () => {
  const { params, opt } = make();
  opt.step();
  const state = params.map((p) => opt.state.get(p));
  opt.loadStateDict({ state, hypers: opt.hypers });
  expect(values(opt.state.get(params[1]!).grad_avg!)[0]).toBeCloseTo(0.05, 6);
  opt.dispose();
});

test.each<[string, OptimizerStateDict]>([
  ['got 1 parameter groups for 2', { state: [{}, {}], hypers: [{}] }],
  ['got the state of 3 parameters for 2', { state: [{}, {}, {}], hypers: [{}, {}] }],
  ['expected { state, hypers } as stateDict() gives it', {} as OptimizerStateDict],
])('a misfit is refused: %s', (message, dict) => {
  const { params, opt } = make();
  opt.step();
  expect(() => opt.loadStateDict(dict)).toThrow(`loadStateDict: ${message}`);
  expect(opt.state.get(params[0]!).step).toBe(1);
  opt.dispose();
});

test('hypers that no callback reads are refused before anything changes', () => {
  const opt = SGD(param([1]), { lr: 1 });
  expect(() => opt.loadStateDict({ state: [{}], hypers: [{ lr: 2, mom: 0.9 }] })).toThrow(
    "loadStateDict: no callback reads 'mom'",
  );
  expect(opt.hypers).toEqual([{ lr: 1, wd: 0 }]);
});

test('a kept copy outlives the scope in which it was made', () => {
  const { opt } = make();
  opt.step();
  const saved = keep(opt.stateDict());
  opt.dispose();
  expect(saved.state[0]!.grad_avg!.isDisposed).toBe(false);
  for (const { grad_avg, sqr_avg } of saved.state)
    for (const t of [grad_avg, sqr_avg]) t!.dispose();
});
