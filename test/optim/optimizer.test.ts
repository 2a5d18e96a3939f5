import {
  Adam,
  Nadam,
  Optimizer,
  SGD,
  sgdStep,
  slice,
  stepStat,
  type Callback,
} from '../../lib/optim';
import { tensor } from '../../lib/tensor/create';
import { isGradEnabled } from '../../lib/tensor/autograd';
import { keep, memory, tidy } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { expectClose, param, values } from './support';

const log =
  (into: string[], name: string): Callback =>
  (p) =>
    void into.push(`${name} ${values(p).join()}`);

describe('step', () => {
  test('runs all callbacks on one parameter before the next, in the order of the groups', () => {
    const seen: string[] = [];
    const groups = [[param([1], [0]), param([2], [0])], [param([3], [0])]];
    new Optimizer(groups, [log(seen, 'a'), log(seen, 'b')]).step();
    expect(seen).toEqual(['a 1', 'b 1', 'a 2', 'b 2', 'a 3', 'b 3']);
  });

  test('shows each callback what those before it stored', () => {
    const p = param([1], [1]);
    const seen: unknown[] = [];
    const opt = new Optimizer(p, [() => ({ twice: 2 }), (_p, { twice }) => void seen.push(twice)]);
    opt.step();
    expect(seen).toEqual([2]);
    expect(opt.state.get(p)).toEqual({ twice: 2 });
  });

  test('ignores what a callback returns besides a patch', () => {
    const p = param([1], [1]);
    const opt = new Optimizer(p, [(q) => q.mul(2), () => null as never, () => [1, 2] as never]);
    opt.step();
    expect(opt.state.get(p)).toEqual({});
  });

  test('leaves out parameters without a gradient, and counts their steps apart', () => {
    const [a, b] = [param([1], [1]), param([1])];
    const opt = new Optimizer([a, b], [stepStat, sgdStep], { lr: 0.5 });
    opt.step();
    b.grad = tensor([1]);
    opt.step();
    expect([values(a), values(b)]).toEqual([[0], [0.5]]);
    expect([opt.state.get(a).step, opt.state.get(b).step]).toEqual([2, 1]);
  });

  test('steps a tensor that needs no gradient but has one', () => {
    const p = param([1], [1]);
    expect(p.requiresGrad).toBe(false);
    SGD(p, { lr: 1 }).step();
    expect(values(p)).toEqual([0]);
  });

  test('steps a parameter that backward gave its gradient', () => {
    const p = tensor([1, 2], { requiresGrad: true });
    p.mul(p).sum().backward();
    const before = p.version;
    SGD(p, { lr: 0.25 }).step();
    expectClose(p, [0.5, 1]);
    expect([p.isLeaf, p.requiresGrad, p.version > before]).toEqual([true, true, true]);
  });

  test('takes empty tensors and scalars', () => {
    const [empty, scalar] = [param([], []), param(1, 1)];
    const opt = Nadam([empty, scalar], { lr: 1, wd: 0 });
    opt.step();
    expect(empty.shape).toEqual([0]);
    expectClose(scalar, [1 - 1.9]);
    opt.dispose();
  });

  test('works inside tidy, which frees none of its state', () => {
    const p = param([1], [1]);
    const opt = Adam(p, { lr: 1 });
    tidy(() => opt.step());
    expect(opt.state.get(p).grad_avg!.isDisposed).toBe(false);
    opt.dispose();
  });

  test('passes on what a callback throws, and leaves scope, grad mode and state in order', () => {
    const [a, b] = [param([1], [1]), param([2], [1])];
    let fail = true;
    const breaks: Callback = (p) => {
      p.mul(2);
      if (fail && p === b) throw new RangeError('mine');
    };
    const opt = new Optimizer([a, b], [stepStat, breaks, sgdStep], { lr: 0.5 });
    const before = memory().tensors;
    expect(() => opt.step()).toThrow(new RangeError('mine'));
    expect([isGradEnabled(), memory().tensors]).toEqual([true, before]);
    expect([values(a), values(b)]).toEqual([[0.5], [2]]);
    const made = a.mul(1); // belongs to the test's scope, not to one that the step left open
    fail = false;
    opt.step();
    expect(made.isDisposed).toBe(false);
    expect([values(a), values(b)]).toEqual([[0], [1.5]]);
    expect(opt.state.get(b).step).toBe(2);
  });

  test('refuses an asynchronous callback', () => {
    const opt = new Optimizer(param([1], [1]), (async () =>
      Promise.resolve()) as unknown as Callback);
    expect(() => opt.step()).toThrow(
      'an optimizer callback: expected a synchronous function, got one that returns a promise',
    );
  });

  test('follows a list of callbacks that was changed', () => {
    const seen: string[] = [];
    const opt = SGD(param([1], [1]), { lr: 1 });
    opt.step();
    opt.cbs.push(log(seen, 'after'));
    opt.step();
    opt.cbs.pop();
    opt.step();
    expect(seen).toEqual(['after -1']);
  });

  test('reports a parameter that was disposed', () => {
    const p = param([1], [1]);
    const opt = SGD(p, { lr: 1 });
    p.dispose();
    expect(() => opt.step()).toThrow(
      expect.objectContaining({ code: 'ERR_TORCH_DISPOSED' }) as Error,
    );
  });
});

describe('the optimizers against their formulas', () => {
  const gradients = [0.3, -0.2, 0.5, 0, -0.4];

  function walk(opt: Optimizer, p: Tensor): number[] {
    return gradients.map((g) => {
      p.grad = tensor([g], { dtype: 'float64' });
      opt.step();
      return values(p)[0]!;
    });
  }

  test('SGD with momentum and L2 decay is that of PyTorch', () => {
    const p = param([1], undefined, 'float64');
    let [x, buffer] = [1, 0];
    const expected = gradients.map((g) => {
      buffer = 0.9 * buffer + g + 0.1 * x;
      return (x -= 0.05 * buffer);
    });
    const opt = SGD(p, { lr: 0.05, mom: 0.9, wd: 0.1, decouple_wd: false });
    expectClose(walk(opt, p), expected, 1e-14);
    opt.dispose();
  });

  test("Adam is PyTorch's AdamW", () => {
    const p = param([1], undefined, 'float64');
    let [x, m, v] = [1, 0, 0];
    const expected = gradients.map((g, i) => {
      x *= 1 - 0.05 * 0.1;
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      return (x -=
        (0.05 * m) / (1 - 0.9 ** (i + 1)) / (Math.sqrt(v / (1 - 0.999 ** (i + 1))) + 1e-8));
    });
    const opt = Adam(p, { lr: 0.05, sqr_mom: 0.999, eps: 1e-8, wd: 0.1 });
    expectClose(walk(opt, p), expected, 1e-13);
    opt.dispose();
  });
});

describe('zeroGrad', () => {
  test('fills gradients with zeros in place and leaves absent ones absent', () => {
    const [a, b] = [param([1], [1]), param([1])];
    const { grad } = a;
    SGD([a, b], { lr: 1 }).zeroGrad();
    expect(a.grad).toBe(grad);
    expect([values(grad!), b.grad]).toEqual([[0], null]);
  });

  test('detaches a gradient that has a graph of its own', () => {
    const p = tensor([2], { requiresGrad: true });
    p.mul(p).mul(p).sum().backward({ createGraph: true });
    expect(p.grad!.requiresGrad).toBe(true);
    SGD(p, { lr: 1 }).zeroGrad();
    expect([values(p.grad!), p.grad!.requiresGrad]).toEqual([[0], false]);
    p.grad = null;
  });
});

describe('freezing', () => {
  const parts = () => {
    const [stem, body, head] = [param([1], [1]), param([1], [1]), param([1], [1])];
    return { stem, body, head, opt: SGD([[stem], [body], [head]], { lr: 1, wd: 0 }) };
  };
  const needs = (...params: Tensor[]): boolean[] => params.map((p) => p.requiresGrad);

  test('freezeTo sets requiresGrad by group, from the start or the end', () => {
    const { stem, body, head, opt } = parts();
    opt.freezeTo(1);
    expect([needs(stem, body, head), opt.frozenIdx]).toEqual([[false, true, true], 1]);
    opt.freezeTo(-1);
    expect([needs(stem, body, head), opt.frozenIdx]).toEqual([[false, false, true], 2]);
    opt.freezeTo(3);
    expect(needs(stem, body, head)).toEqual([false, false, false]);
    opt.unfreeze();
    expect([needs(stem, body, head), opt.frozenIdx]).toEqual([[true, true, true], 0]);
  });

  test('freeze leaves the last group', () => {
    const { stem, body, head, opt } = parts();
    opt.freeze();
    expect(needs(stem, body, head)).toEqual([false, false, true]);
  });

  test('freeze refuses a single group and says what to do', () => {
    expect(() => SGD(param([1]), { lr: 1 }).freeze()).toThrow(
      'freeze: expected at least 2 parameter groups, got 1; pass groups, such as [body, head], or freezeTo(1) to freeze all',
    );
  });

  test.each([4, -4, 0.5, NaN])('freezeTo refuses %p of three groups', (n) => {
    expect(() => parts().opt.freezeTo(n)).toThrow('freezeTo: expected an integer from -3 to 3');
  });

  test('a frozen parameter is not stepped, even with a stale gradient', () => {
    const { stem, body, head, opt } = parts();
    opt.freeze();
    opt.step();
    expect([stem, body, head].map(values)).toEqual([[1], [1], [0]]);
    opt.unfreeze();
    opt.step();
    expect([stem, body, head].map(values)).toEqual([[0], [0], [-1]]);
  });

  test('a parameter with force_train is trained in a frozen group', () => {
    const { stem, body, opt } = parts();
    opt.state.get(body).force_train = true;
    opt.freeze();
    expect(needs(stem, body)).toEqual([false, true]);
    opt.step();
    expect([values(stem), values(body)]).toEqual([[1], [0]]);
  });
});

describe('state', () => {
  test('is made by reading it, and holds what is written', () => {
    const p = param([1]);
    const { state } = SGD(p, { lr: 1 });
    expect([state.size, state.has(p)]).toEqual([0, false]);
    state.get(p).do_wd = false;
    expect([state.size, state.has(p), [...state.entries()]]).toEqual([
      1,
      true,
      [[p, { do_wd: false }]],
    ]);
    expect(state.get(p)).toBe(state.get(p));
  });

  test('is only of tensors', () => {
    expect(() => SGD(param([1]), { lr: 1 }).state.get('0.weight' as never)).toThrow(
      "state.get: expected a parameter, got '0.weight'",
    );
  });

  test('delete disposes of what it held', () => {
    const p = param([1], [1]);
    const opt = Adam(p, { lr: 1 });
    opt.step();
    const { grad_avg } = opt.state.get(p);
    expect(opt.state.delete(p)).toBe(true);
    expect([grad_avg!.isDisposed, opt.state.size, opt.state.delete(p)]).toEqual([true, 0, false]);
  });

  test('clearState keeps the flags and starts the averages anew', () => {
    const [p, q] = [param([1], [1]), param([1], [1])];
    const [opt, fresh] = [Nadam(p, { lr: 0.1, wd: 0 }), Nadam(q, { lr: 0.1, wd: 0 })];
    Object.assign(opt.state.get(p), { do_wd: false, force_train: true, note: 'mine' });
    opt.step();
    const { grad_avg } = opt.state.get(p);
    opt.clearState();
    expect(opt.state.get(p)).toEqual({ do_wd: false, force_train: true });
    expect(grad_avg!.isDisposed).toBe(true);
    const before = values(p)[0]!;
    opt.step();
    fresh.step();
    expectClose(values(p)[0]! - before, values(q)[0]! - 1);
    opt.dispose();
    fresh.dispose();
  });
});

describe('allParams', () => {
  const make = () => {
    const [a, b, c] = [param([1], [1]), param([2]), param([3], [1])];
    return { a, b, c, opt: SGD([[a], [b], [c]], { lr: [1, 2, 3] }) };
  };
  const firsts = (entries: readonly (readonly [Tensor, ...unknown[]])[]): Tensor[] =>
    entries.map(([p]) => p);

  test('gives parameter, group, state and hypers of each in order', () => {
    const { a, b, c, opt } = make();
    const entries = opt.allParams();
    expect(firsts(entries)).toEqual([a, b, c]);
    const [p, pg, state, hyper] = entries[1]!;
    expect(
      [p, pg, state, hyper].map(
        (item, i) => item === [b, opt.paramLists[1], opt.state.get(b), opt.hypers[1]][i],
      ),
    ).toEqual([true, true, true, true]);
    expect(opt.state.size).toBe(3);
  });

  test('chooses groups by number or range', () => {
    const { a, b, c, opt } = make();
    expect(firsts(opt.allParams(1))).toEqual([b]);
    expect(firsts(opt.allParams(-1))).toEqual([c]);
    expect(firsts(opt.allParams({ start: 1 }))).toEqual([b, c]);
    expect(firsts(opt.allParams({ stop: -1 }))).toEqual([a, b]);
    expect(firsts(opt.allParams(slice(1, 3)))).toEqual([b, c]);
    expect(() => opt.allParams(3)).toThrow('allParams: expected a group from -3 to 2, got 3');
    expect(() => opt.allParams({ withGrad: true } as object)).toThrow(
      "allParams: unknown option 'withGrad'",
    );
  });

  test('leaves out parameters without a gradient on demand', () => {
    const { a, c, opt } = make();
    expect(firsts(opt.allParams({}, { withGrad: true }))).toEqual([a, c]);
  });

  test('paramGroups are those of PyTorch', () => {
    const { a, opt } = make();
    expect(opt.paramGroups[0]).toEqual({ params: [a], lr: 1, wd: 0 });
  });
});

describe('fused', () => {
  test('explain tells that the callbacks run, and why', () => {
    const p = param([1]);
    expect(SGD(p, { lr: 1 }).explain()).toBe(
      'step() calls weightDecay, sgdStep for each of 1 parameters, as there is no fused kernel for them',
    );
    expect(SGD(p, { lr: 1, fused: false }).explain()).toContain('as fused is false');
  });

  test('true is refused, as is what is none of the three', () => {
    expect(() => Nadam(param([1]), { lr: 1, fused: true })).toThrow(
      'fused: true: there is no fused kernel',
    );
    expect(() => Nadam(param([1]), { lr: 1, fused: 'yes' as 'auto' })).toThrow(
      "expected fused 'auto', true or false, got 'yes'",
    );
  });
});

test('dispose frees the state, keeps the parameters, and ends the optimizer', () => {
  const p = param([1], [1]);
  const opt = Adam(p, { lr: 1 });
  opt.step();
  const { grad_avg } = opt.state.get(p);
  opt.dispose();
  opt.dispose();
  expect([grad_avg!.isDisposed, p.isDisposed]).toEqual([true, false]);
  expect(() => opt.step()).toThrow(
    expect.objectContaining({ code: 'ERR_TORCH_DISPOSED' }) as Error,
  );
  expect(() => opt.zeroGrad()).toThrow('Optimizer.zeroGrad: this optimizer was disposed');
});

test('a tensor that was put into the state by hand is disposed with it', () => {
  const p = param([1]);
  const opt = SGD(p, { lr: 1 });
  const mine = keep(tensor([1]));
  opt.state.get(p)['mine'] = mine;
  opt.dispose();
  expect(mine.isDisposed).toBe(true);
});
