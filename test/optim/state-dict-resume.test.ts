import { keep, tidy } from '../../lib/tensor/scope';
import { tensor } from '../../lib/tensor/create';
import { Adam, Nadam, SGD, type Optimizer, type Params } from '../../lib/optim';
import { param, values } from './support';

const makers: Record<string, (params: Params) => Optimizer> = {
  'SGD with momentum': (params) => SGD(params, { lr: [0.1, 0.2], mom: 0.9, wd: 0.01 }),
  Adam: (params) => Adam(params, { lr: [0.1, 0.2] }),
  Nadam: (params) => Nadam(params, { lr: [0.1, 0.2], decouple_wd: false }),
};

function start(make: (params: Params) => Optimizer) {
  const params = [param([1, 2, 3]), param([[0.5], [-4]])];
  const opt = make(params.map((p) => [p]));
  opt.state.get(params[1]!).do_wd = false;
  return { params, opt };
}

function train({ params, opt }: ReturnType<typeof start>, from: number, to: number): void {
  for (let step = from; step < to; step++) {
    tidy(() => {
      for (const [k, p] of params.entries()) p.grad = keep(p.mul(0.3).add(Math.sin(step + k)));
      opt.step();
    });
    for (const p of params) {
      const { grad } = p;
      p.grad = null;
      grad!.dispose();
    }
  }
}

test.each(Object.entries(makers))('%s goes on from a saved state bit by bit', (_, make) => {
  const straight = start(make);
  train(straight, 0, 5);
  const saved = straight.opt.stateDict();
  const weights = straight.params.map((p) => p.clone());
  train(straight, 5, 10);

  const resumed = start(make);
  resumed.params.forEach((p, i) => p.copy_(weights[i]!));
  resumed.opt.loadStateDict(saved);
  train(resumed, 5, 10);

  expect(resumed.params.map(values)).toEqual(straight.params.map(values));
  straight.opt.dispose();
  resumed.opt.dispose();
});

test.each([
  [
    'other shapes',
    [param([1, 2]), param([[0.5], [-4]])],
    'a parameter of shape [3] for parameter 0, which has [2]',
  ],
  [
    'another order',
    [param([1, 2, 3]), param([[0.5, -4]])],
    'a parameter of shape [2, 1] for parameter 1, which has [1, 2]',
  ],
])('a state dict of parameters of %s is refused and changes nothing', (_, params, message) => {
  const one = start(makers.Adam!);
  train(one, 0, 1);
  const other = Adam(
    params.map((p) => [tensor(p.toArray() as number[])]),
    { lr: 3 },
  );
  expect(() => other.loadStateDict(one.opt.stateDict())).toThrow(`loadStateDict: got ${message}`);
  expect(other.hypers[0]).toMatchObject({ lr: 3 });
  expect(other.allParams().map(([, , state]) => state)).toEqual([{}, {}]);
  one.opt.dispose();
});

test('averages of other shapes are refused also where no shapes were recorded', () => {
  const { opt } = start(makers.Adam!);
  const state = [{ grad_avg: tensor([1, 2]) }, {}];
  expect(() => opt.loadStateDict({ state, hypers: [{}, {}] })).toThrow(
    'loadStateDict: got grad_avg of shape [2] for parameter 0, which has [3]',
  );
});

test('toFastai has the positions and names of a fastai state_dict', () => {
  const one = start(makers.Nadam!);
  train(one, 0, 2);
  const { state, hypers } = one.opt.toFastai();
  expect(state.map((each) => Object.keys(each).sort())).toEqual([
    ['grad_avg', 'sqr_avg', 'step'],
    ['do_wd', 'grad_avg', 'sqr_avg', 'step'],
  ]);
  expect(hypers.map((each) => Object.keys(each).sort())).toEqual([
    ['eps', 'lr', 'mom', 'sqr_mom', 'wd'],
    ['eps', 'lr', 'mom', 'sqr_mom', 'wd'],
  ]);
  expect(state[0]!.step).toBe(2);
  one.opt.dispose();
});

test('fromFastai takes what Python saved: whole numbers, None, and hypers that nothing reads', () => {
  const p = param([1, 2], [0.5, 0.5]);
  const opt = SGD(p, { lr: 1 });
  opt.fromFastai({
    state: [{ step: 3n, do_wd: false, extra: null }],
    hypers: [{ lr: tensor(0.25), mom: 0, wd: 0n }],
  });
  expect(opt.hypers).toEqual([{ lr: 0.25, wd: 0 }]);
  expect(opt.state.get(p)).toEqual({ step: 3, do_wd: false });
});

test('toFastai and fromFastai go round', () => {
  const [one, other] = [start(makers.Adam!), start(makers.Adam!)];
  train(one, 0, 3);
  other.params.forEach((p, i) => p.copy_(one.params[i]!));
  other.opt.fromFastai(one.opt.toFastai());
  for (const each of [one, other]) train(each, 3, 5);
  expect(other.params.map(values)).toEqual(one.params.map(values));
  one.opt.dispose();
  other.opt.dispose();
});

test.each([
  ['expected { state: [...], hypers: [...] }, got undefined', undefined],
  ["expected 'state' to be a list of objects", { state: 1, hypers: [] }],
  ["expected 'hypers' to be a list of objects", { state: [{}, {}], hypers: [1] }],
  ["expected a number as the hyper 'lr', got 'x'", { state: [{}, {}], hypers: [{ lr: 'x' }, {}] }],
  ['got 1 parameter groups for 2', { state: [{}, {}], hypers: [{}] }],
])('fromFastai refuses another layout: %s', (message, dict) => {
  const { opt } = start(makers.Adam!);
  expect(() => opt.fromFastai(dict as never)).toThrow(message);
  expect(opt.hypers[0]).toMatchObject({ lr: 0.1 });
});
