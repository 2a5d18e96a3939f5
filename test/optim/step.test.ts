import { Adam, Nadam, Optimizer, SGD, sgdStep, stepStat, type Callback } from '../../lib/optim';
import { tensor } from '../../lib/tensor/create';
import { isGradEnabled } from '../../lib/tensor/autograd';
import { memory, tidy } from '../../lib/tensor/scope';
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
