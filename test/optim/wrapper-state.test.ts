import { OptimWrapper, torchOptim, type TorchKind } from '../../lib/optim';
import { noGrad } from '../../lib/tensor/autograd';
import { tensor } from '../../lib/tensor/create';
import { memory } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { param, values } from './support';

const kinds: Exclude<TorchKind, 'LBFGS'>[] = ['SGD', 'Adam', 'AdamW', 'RMSprop', 'Adagrad'];

const pair = (): [Tensor, Tensor] => [param([1, 2], [1, -1]), param([3], [0.5])];

test.each(kinds)('%s goes on from a saved state bit by bit', (kind) => {
  const make = () => {
    const params = pair();
    const factory = torchOptim[kind] as typeof torchOptim.SGD;
    const momentum = kind === 'SGD' || kind === 'RMSprop' ? { momentum: 0.9 } : {};
    const opt = new OptimWrapper([[params[0]], [params[1]]], factory, {
      lr: [0.1, 0.2],
      ...momentum,
    });
    opt.state.get(params[1]).do_wd = false;
    return { params, opt };
  };
  const train = ({ params, opt }: ReturnType<typeof make>): void => {
    for (let i = 0; i < 5; i++) {
      noGrad(() => params.forEach((p) => p.grad!.copy_(p.mul(0.3))));
      opt.step();
    }
  };
  const straight = make();
  train(straight);
  const saved = straight.opt.stateDict();
  const weights = straight.params.map((p) => p.clone());
  train(straight);
  const resumed = make();
  resumed.params.forEach((p, i) => p.copy_(weights[i]!));
  resumed.opt.loadStateDict(saved);
  train(resumed);
  expect(resumed.params.map(values)).toEqual(straight.params.map(values));
  straight.opt.dispose();
  resumed.opt.dispose();
});

test("a state dict holds flags and PyTorch's names", () => {
  const p = param([1], [1]);
  using opt = new OptimWrapper(p, torchOptim.Adam, { lr: 0.1 });
  opt.state.get(p).do_wd = false;
  opt.step();
  const [state] = opt.stateDict().state;
  expect(Object.keys(state!).sort()).toEqual(['do_wd', 'exp_avg', 'exp_avg_sq', 'step']);
  expect(state!.step).toBe(1);
});

test.each([
  ['got exp_avg of shape [1] for parameter 1, which has [2]', { exp_avg: tensor([1]) }],
  ['exp_avg_sq: expected it, got nothing', { exp_avg_sq: undefined }],
  ['an optimizer of this kind, got', { momentum_buffer: tensor([1, 1]) }],
  ["expected numbers and tensors in the state of parameter 1, got 'x'", { exp_avg: 'x' }],
])('a misfit changes nothing: %s', (message, wrong) => {
  const params = [param([1], [1]), param([1, 1], [1, 1])];
  using opt = new OptimWrapper(params, torchOptim.Adam, { lr: 0.1 });
  opt.step();
  const { state, hypers } = opt.stateDict();
  const bad = Object.fromEntries(
    Object.entries({ ...state[1], ...wrong }).filter(([, value]) => value !== undefined),
  );
  opt.step();
  const before = opt.stateDict().state.map((each) => each.step);
  expect(() =>
    opt.loadStateDict({ state: [state[0]!, bad], hypers: hypers.map(() => ({ lr: 9 })) }),
  ).toThrow(message);
  expect(opt.stateDict().state.map((each) => each.step)).toEqual(before);
  expect(opt.hypers[0]!.lr).toBe(0.1);
});

test('clearState forgets averages and keeps flags', () => {
  const p = param([1], [1]);
  using opt = new OptimWrapper(p, torchOptim.Adagrad, { initial_accumulator_value: 0.5 });
  opt.state.get(p).do_wd = false;
  opt.step();
  opt.clearState();
  const [state] = opt.stateDict().state;
  expect(state).toMatchObject({ do_wd: false, step: 0 });
  expect(values(state!.sum as Tensor)).toEqual([0.5]);
});

test('dispose frees it, and every use is refused from then on', () => {
  // memory() counts the bytes of the CPU.
  const p = tensor([1], { device: 'cpu' });
  p.grad = p.onesLike();
  const before = memory().bytes;
  const opt = new OptimWrapper(p, torchOptim.Adam);
  opt.step();
  expect(memory().bytes).toBeGreaterThan(before);
  opt.dispose();
  opt.dispose();
  expect(memory().bytes).toBe(before);
  expect(() => opt.step()).toThrow('optimizer has been disposed');
  expect(() => opt.stateDict()).toThrow('disposed');
});

test('LBFGS goes on from a saved state bit by bit', () => {
  const make = () => {
    const p = param([1, 2]).requiresGrad_();
    const opt = new OptimWrapper(p, torchOptim.LBFGS, { lr: 0.1, max_iter: 3 });
    const closure = (): Tensor => {
      opt.zeroGrad();
      const loss = p.square().square().sum();
      loss.backward();
      return loss;
    };
    return { p, opt, train: () => [1, 2, 3].map(() => opt.step(closure)) };
  };
  const [straight, resumed] = [make(), make()];
  straight.train();
  resumed.opt.loadStateDict(straight.opt.stateDict());
  noGrad(() => resumed.p.copy_(straight.p));
  for (const { train } of [straight, resumed]) train();
  expect(values(resumed.p)).toEqual(values(straight.p));
  straight.opt.dispose();
  resumed.opt.dispose();
});
