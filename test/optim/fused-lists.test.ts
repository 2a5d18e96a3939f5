import { memory, ops, optim, tensor, type DType, type Tensor } from '../../lib/index';
import { values } from './support';

const { adamStep, averageGrad, averageSqrGrad, l2Reg, lionStep, momentumStep, Optimizer } = optim;
const { SGD, sgdStep, stepStat } = optim;
const adams = [averageGrad({ dampening: true }), averageSqrGrad(), stepStat];

// Four steps by the kernels where they can, or by the callbacks.
function stepped(cbs: readonly optim.AnyCallback[], fused: optim.Fused, start = [1, 2, 3], wd = 0) {
  const p = tensor(start);
  const opt: optim.Optimizer = new Optimizer(p, cbs, { lr: 0.1, wd }, { fused });
  for (let step = 1; step <= 4; step++) {
    p.grad = tensor(start.map((_, i) => (i === 0 ? step / 10 : -0.2)));
    opt.step();
  }
  const why = opt.explain();
  opt.dispose();
  return { weights: values(p), grad: values(p.grad!), why };
}

test.each([
  ['two steps', [l2Reg, ...adams, sgdStep, adamStep]],
  ['two averages', [l2Reg, averageGrad(), averageGrad({ dampening: true }), momentumStep]],
  ['an average and a step that averages', [l2Reg, averageGrad(), lionStep]],
  ['two counts', [l2Reg, ...adams, adamStep, stepStat]],
])("a list with %s goes by the callbacks, as one would step by what is the other's", (_, cbs) => {
  const [auto, plain] = [stepped(cbs, 'auto'), stepped(cbs, false)];
  expect(auto.why).toMatch(/can't be in one list|two callbacks make step/);
  expect(auto.weights).toEqual(plain.weights);
});

test('a penalty of 0 leaves infinite weights as they are, either way', () => {
  const cbs = [l2Reg, averageGrad(), momentumStep];
  const [auto, plain] = [stepped(cbs, 'auto', [1, -Infinity]), stepped(cbs, false, [1, -Infinity])];
  expect(auto.why).toContain('in one pass');
  expect(auto.weights[1]).toBe(-Infinity);
  expect(auto.grad).toEqual(plain.grad);
});

test.each(['float32', 'float16'] as const)(
  'gradients of %s whose squares are beyond its range are clipped in every step',
  (dtype: DType) => {
    const huge = dtype === 'float16' ? 50_000 : 1e25;
    for (const fused of ['auto', false] as const) {
      const p = tensor([1, 1], { dtype });
      const opt = SGD(p, { lr: 0.5, mom: 0.9, fused });
      for (let step = 0; step < 2; step++) {
        p.grad = tensor([huge, 0], { dtype });
        opt.step({ clipNorm: 1 });
        expect(opt.lastGradNorm! / huge).toBeCloseTo(1, 2);
      }
      expect(values(p)[0]).toBeCloseTo(1 - 0.5 - 0.95, 2);
      opt.dispose();
    }
  },
);

test('two states that are given one value are two tensors', () => {
  const both = optim.elementwise(
    { name: 'both', hypers: ['lr'], state: ['a', 'b'] },
    ({ p, g, a, lr }) => ({ p: p.sub(a.add(g).mul(lr)), a: g.add(a), b: g.add(a) }),
  );
  for (const stateDtype of ['float32', 'bfloat16'] as const) {
    const p = tensor([1, 2]);
    p.grad = tensor([0.5, 0.25]);
    const opt = new Optimizer(p, [both], { lr: 0.1 }, { stateDtype });
    for (let step = 0; step < 3; step++) opt.step();
    expect(opt.explain()).toContain('in one pass');
    const { a, b } = opt.state.get(p) as { a: Tensor; b: Tensor };
    expect(values(a)).toEqual([1.5, 0.75]);
    expect(values(b)).toEqual([1.5, 0.75]);
    opt.dispose();
  }
});

test('a callback that throws leaves a state of 16 bits whole, and nothing behind', () => {
  let boom = false;
  const seen = optim.statCallback({ name: 'seen', state: ['seen'] }, (p) => ({
    seen: p.grad.sum(),
  }));
  const look = (): void => {
    if (boom) throw new Error('boom');
  };
  const p = tensor([1, 2]);
  p.grad = tensor([1, 1]);
  const opt = new Optimizer(p, [averageGrad(), seen, look], {}, { stateDtype: 'bfloat16' });
  opt.step();
  const before = memory().tensors;
  boom = true;
  for (let step = 0; step < 5; step++) expect(() => opt.step()).toThrow('boom');
  expect(memory().tensors).toBe(before);
  boom = false;
  opt.step();
  expect(values(opt.state.get(p).seen as Tensor)).toEqual([2]);
  opt.dispose();
});

test('a sparse parameter goes by the callbacks', () => {
  const p = ops.aten._to_sparse!(tensor([0, 1])) as Tensor;
  const opt = SGD(p, { lr: 1 });
  opt.step();
  expect(opt.explain()).toContain('a parameter is sparse');
  opt.dispose();
});
