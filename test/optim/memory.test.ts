import {
  averageGrad,
  EMA,
  Lookahead,
  Nadam,
  Optimizer,
  SGD,
  statCallback,
  stepStat,
  type Callback,
} from '../../lib/optim';
import { tensor } from '../../lib/tensor/create';
import { memory, tidy } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { param, values } from './support';

function tensorsAfterEachStep(opt: Optimizer, steps = 10): number[] {
  return Array.from({ length: steps }, () => {
    opt.step();
    return memory().tensors;
  });
}

test('from the second step on no tensor is made or lost', () => {
  const params = [1, 2, 3].map((value) => param([value, value], [1, 1]));
  const opt = Nadam(params, { lr: 0.1 });
  const counts = tensorsAfterEachStep(opt);
  expect(new Set(counts).size).toBe(1);
  opt.dispose();
  expect(memory().tensors).toBe(counts[0]! - 6);
});

test('zeroGrad and backward in a loop leave the same number of tensors', () => {
  const w = tensor([1, 2], { requiresGrad: true });
  const opt = Nadam(w, { lr: 0.1 });
  const counts = Array.from({ length: 5 }, () => {
    tidy(() => w.mul(w).sum().backward());
    opt.step();
    opt.zeroGrad();
    return memory().tensors;
  });
  expect(new Set(counts.slice(1)).size).toBe(1);
  opt.dispose();
});

test('a new tensor in a patch is kept, and the one that it replaces is disposed', () => {
  const p = param([1], [1]);
  const seen: Tensor[] = [];
  const stat = statCallback({ state: ['grad_avg'] }, (q, { grad_avg }) => {
    const next = grad_avg ? grad_avg.add(q.grad) : q.grad.mul(1);
    seen.push(next);
    return { grad_avg: next };
  });
  const opt = new Optimizer(p, stat);
  expect(new Set(tensorsAfterEachStep(opt)).size).toBe(1);
  expect(seen.map(({ isDisposed }) => isDisposed)).toEqual([
    ...Array<boolean>(9).fill(true),
    false,
  ]);
  expect(values(opt.state.get(p).grad_avg!)).toEqual([10]);
  opt.dispose();
});

test('a tensor that the state still holds under another key, or in a list, is not disposed', () => {
  const p = param([1], [1]);
  const history: Callback = (q, { last, all }) => {
    const now = q.grad.mul(2);
    const before = Array.isArray(all) ? (all as Tensor[]) : [];
    return { last: now, previous: last, all: [...before.slice(-2), now] };
  };
  const opt = new Optimizer(p, history);
  const counts = tensorsAfterEachStep(opt);
  expect(new Set(counts.slice(2)).size).toBe(1);
  const all = opt.state.get(p)['all'] as Tensor[];
  expect(all.map(({ isDisposed }) => isDisposed)).toEqual([false, false, false]);
  opt.dispose();
  expect(all.map(({ isDisposed }) => isDisposed)).toEqual([true, true, true]);
});

test('the parameter and its gradient may be in the state, and outlive it', () => {
  const p = param([1], [1]);
  const grad = p.grad!;
  let step = 0;
  const opt = new Optimizer(p, (q) =>
    step++ === 0 ? { self: q, gradient: q.grad } : { self: 0, gradient: 0 },
  );
  opt.step();
  opt.step();
  expect([p.isDisposed, grad.isDisposed]).toEqual([false, false]);
  for (const t of [p, grad]) t.dispose(); // the patch took them out of the test's scope
});

test('what a callback makes and does not return is freed', () => {
  const p = param([1], [1]);
  const made: Tensor[] = [];
  const opt = new Optimizer(p, [averageGrad(), stepStat, (q) => void made.push(q.mul(2))]);
  opt.step();
  expect(made[0]!.isDisposed).toBe(true);
  opt.dispose();
});

test('a step holds what one parameter needs, not what all do', () => {
  const params = [1, 2, 3].map((value) => param([value], [1]));
  for (const p of params) expect(p.grad).not.toBeNull(); // reading a gradient makes its handle
  const live: number[] = [];
  const opt = new Optimizer(params, [
    (q) => q.mul(2).add(1),
    () => void live.push(memory().tensors),
  ]);
  opt.step();
  expect(new Set(live).size).toBe(1);
});

// 400 kB.
const large = () => {
  const p = tensor(new Float32Array(100_000));
  p.grad = tensor(new Float32Array(100_000).fill(1));
  return p;
};

/** Tells how many kilobytes `work` frees. */
function freedBy(work: () => void): number {
  const before = memory().bytes;
  work();
  return Math.round((before - memory().bytes) / 1000) || 0; // no -0
}

test.each<[string, number, () => { opt: Optimizer; end: () => void }]>([
  [
    'an EMA that is disposed',
    400,
    () => {
      const opt = SGD(large(), { lr: 0.1, fused: true });
      const ema = new EMA(opt);
      return { opt, end: () => void ema.dispose() };
    },
  ],
  [
    'a Lookahead that is disposed',
    400,
    () => {
      const opt = new Lookahead(SGD(large(), { lr: 0.1, fused: true }), { k: 1 });
      return { opt, end: () => void opt.dispose() };
    },
  ],
  [
    'a state that is cleared',
    800,
    () => {
      const opt = Nadam(large(), { lr: 0.1, fused: true });
      return { opt, end: () => void opt.clearState() };
    },
  ],
  [
    'a state that another replaces',
    0,
    () => {
      const opt = Nadam(large(), { lr: 0.1, fused: true });
      return { opt, end: () => tidy(() => opt.loadStateDict(opt.stateDict())) };
    },
  ],
  [
    'averages of an EMA that others replace',
    0,
    () => {
      const opt = SGD(large(), { lr: 0.1, fused: true });
      const ema = new EMA(opt);
      return { opt, end: () => tidy(() => ema.loadStateDict(ema.stateDict())) };
    },
  ],
])('%s is not held by the plan of the steps before', (_, kilobytes, make) => {
  const { opt, end } = make();
  for (let i = 0; i < 3; i++) opt.step();
  expect(opt.explain()).toContain('in one pass');
  expect(freedBy(end)).toBe(kilobytes);
  opt.dispose();
});
