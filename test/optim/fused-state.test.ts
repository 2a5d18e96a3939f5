import { DisposedError, keep, optim, tensor, zeros, type Tensor } from '../../lib/index';

const { Nadam } = optim;

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

test('a state or a parameter that was disposed is refused, as by the callbacks', () => {
  const dispose = (fused: optim.Fused, what: 'state' | 'parameter') => {
    const p = param([1, 2]);
    const opt = stepped(p, { fused });
    (what === 'state' ? opt.state.get(p).sqr_avg! : p).dispose();
    expect(() => opt.step()).toThrow(DisposedError);
    expect(() => opt.step()).toThrow(DisposedError); // and so is the next one
    opt.dispose();
  };
  for (const fused of ['auto', false] as const) {
    dispose(fused, 'state');
    dispose(fused, 'parameter');
  }
});

test('a state of the same size and another shape goes by the callbacks, which refuse it', () => {
  const p = zeros([2, 3]);
  p.grad = zeros([2, 3]);
  const opt = stepped(p);
  opt.state.get(p).grad_avg = keep(zeros([3, 2]));
  expect(() => opt.step()).toThrow(/size/);
  expect(opt.explain()).toContain('has another shape than its parameter');
  opt.dispose();
});

test('a state object that was replaced is the one that a step reads and writes', () => {
  const p = param([1, 2]);
  const opt = stepped(p);
  const old = opt.state.get(p);
  opt.state.set(p, { ...old, do_wd: false });
  opt.step();
  expect(opt.explain()).toContain('in one pass');
  expect([old.step, opt.state.get(p).step]).toEqual([2, 3]);
  opt.dispose();
});

test('a group that is added later is stepped as well', () => {
  const [a, b] = [param([1]), param([1])];
  const opt = stepped(a);
  opt.addParamGroup([b]);
  opt.step();
  opt.step();
  expect([opt.state.get(a).step, opt.state.get(b).step]).toEqual([4, 2]);
  expect(opt.explain()).toContain('in one pass over 2 parameters');
  opt.dispose();
});
