import { keep, models, noGrad, optim, randn, tensor, zeros, type Tensor } from '../../lib/index';
import { values } from './support';

const { Nadam, RMSProp, SGD } = optim;

function stepped(p: Tensor, options: { fused?: optim.Fused } = {}) {
  const opt = Nadam(p, { lr: 0.1, ...options });
  opt.step();
  opt.step();
  return opt;
}

function param(data: number[]): Tensor {
  const p = tensor(data, { requiresGrad: true });
  p.grad = tensor(data.map(() => 0.5));
  return p;
}

test('the callbacks make the state, then the kernels step: the state stays ordinary tensors', () => {
  const p = param([1, 2]);
  const opt = Nadam(p, { lr: 0.1 });
  expect(opt.explain()).toContain('as there was no step yet');
  opt.step();
  expect(opt.explain()).toContain('as a parameter has no state yet');
  const average = opt.state.get(p).grad_avg as Tensor;
  opt.step();
  expect(opt.explain()).toBe(
    'step() does weightDecay, averageGrad({ dampening: true }), averageSqrGrad(), stepStat, nadamStep in one pass over 1 parameters',
  );
  expect(opt.state.get(p).grad_avg).toBe(average);
  expect(values(average)[0]).toBeCloseTo(0.095, 6);
  opt.dispose();
});

test.each<[string, (p: Tensor, opt: optim.Optimizer) => void, RegExp]>([
  [
    'a gradient of other strides',
    (p) => (p.grad = zeros([3, 2]).t()),
    /a gradient, float32\[2, 3\].*, lies otherwise in memory/,
  ],
  [
    'a state of another dtype',
    (p, opt) => (opt.state.get(p).grad_avg = zeros([2, 3], { dtype: 'float64' })),
    /a state, float64/,
  ],
  [
    "a callback of one's own",
    (_, opt) =>
      opt.cbs.push(function look() {
        /* it only looks */
      }),
    /look has no kernel/,
  ],
  [
    'a parameter with gaps',
    (p) => {
      const grad = zeros([2, 3]);
      p.setData(zeros([2, 6]).slice(1, 0, 6, 2));
      p.grad = grad;
    },
    /has gaps in memory/,
  ],
])('%s goes by the callbacks, and says so', (_, change, reason) => {
  const p = zeros([2, 3]);
  p.grad = zeros([2, 3]);
  const opt = stepped(p);
  expect(opt.explain()).toContain('in one pass');
  change(p, opt);
  opt.step();
  expect(opt.explain()).toMatch(reason);
  opt.dispose();
});

test('fused: true refuses what has no kernel, when it is made and when it steps', () => {
  expect(
    () =>
      new optim.Optimizer(param([1]), [() => undefined, optim.sgdStep], { lr: 1 }, { fused: true }),
  ).toThrow(/fused: true: .* has no kernel/);
  const p = zeros([2, 3]);
  p.grad = zeros([2, 3]);
  const opt = stepped(p, { fused: true });
  expect(opt.explain()).toContain('in one pass');
  p.grad = zeros([3, 2]).t();
  expect(() => opt.step()).toThrow(/fused: true: a gradient/);
  opt.dispose();
});

// A frozen parameter has no part in the callbacks, and is checked after the others.
test.each([
  ['parameter', 1],
  ['frozen parameter', 2],
])('a step that a %s refuses moves no version', (_, unfit) => {
  const params = [param([1, 2]), param([1, 2]), param([1, 2])];
  const opt = Nadam(params, { lr: 0.1, fused: true });
  const step = () => opt.step({ gradScale: 0.5, zeroGrad: true });
  step();
  params[2]!.requiresGrad = false;
  step();
  const watched = [params[0]!, params[0]!.grad!, opt.state.get(params[0]!).grad_avg as Tensor];
  const versions = () => watched.map(({ version }) => version);
  params[unfit]!.grad = zeros([4]).slice(0, 0, 4, 2);
  const before = versions();
  expect(step).toThrow(/fused: true: a gradient/);
  expect(versions()).toEqual(before);
  params[unfit]!.grad = zeros([2]);
  step();
  versions().forEach((version, i) => expect(version).toBeGreaterThan(before[i]!));
  opt.dispose();
});

test('autograd hears of the writes: a value that a backward pass needs is seen to be spoilt', () => {
  const p = param([1, 2]);
  const opt = stepped(p);
  const y = p.mul(p).sum();
  opt.step();
  expect(() => y.backward()).toThrow(/modified by an inplace operation/);
  opt.dispose();
});

test('parameters that share memory go by the callbacks', () => {
  const base = zeros([4]);
  const [a, b] = [base.narrow(0, 0, 2), base.narrow(0, 2, 2)];
  for (const p of [a, b]) p.grad = tensor([1, 1]);
  const opt = optim.SGD([a, b], { lr: 1 });
  opt.step();
  expect(opt.explain()).toContain('share memory');
  expect(values(base)).toEqual([-1, -1, -1, -1]);
});

test('channels-last weights are stepped where gradient and state lie alike', () => {
  const p = keep(noGrad(() => randn([2, 3, 4, 4]).to({ memoryFormat: 'channels_last' })));
  p.grad = randn([2, 3, 4, 4]).to({ memoryFormat: 'channels_last' });
  const opt = stepped(p);
  expect(opt.explain()).toContain('in one pass');
  opt.dispose();
  p.dispose();
});

test('the network of the main job is stepped in one pass', () => {
  using model = models.xresnet18({ nOut: 2 });
  for (const p of model.parameters()) p.grad = zeros(p.shape);
  const opt = Nadam(model.parameters(), { lr: 1e-3 });
  opt.step();
  opt.step();
  expect(opt.explain()).toContain('in one pass over 68 parameters');
  opt.dispose();
});

test('RMSProp goes by the callbacks while a state has an average that no callback keeps up', () => {
  const p = param([1, 2]);
  const opt = RMSProp(p, { lr: 0.1 });
  opt.step();
  opt.step();
  expect(opt.explain()).toContain('in one pass');
  opt.state.get(p).grad_avg = keep(tensor([1, -1]));
  opt.step();
  expect(opt.explain()).toContain('a grad_avg that no callback keeps up');
  opt.dispose();
});

test('do_wd is off for whatever is falsy but undefined, either way', () => {
  const decayed = (fused: optim.Fused, flag: unknown) => {
    const p = param([1]);
    p.grad = tensor([0]);
    const opt = SGD(p, { lr: 1, wd: 0.5, fused });
    opt.state.get(p).do_wd = flag as boolean;
    opt.step();
    opt.dispose();
    return values(p);
  };
  for (const flag of [undefined, true, false, 0, null]) {
    expect(decayed('auto', flag)).toEqual(decayed(false, flag));
  }
});
