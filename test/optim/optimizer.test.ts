import { Adam, Nadam, SGD, slice } from '../../lib/optim';
import { tensor } from '../../lib/tensor/create';
import { keep } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { expectClose, param, values } from './support';

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
  test('what is none of the three is refused', () => {
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
