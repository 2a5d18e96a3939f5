import { OptimWrapper, SGD, slice, torchOptim, type TorchKind } from '../../lib/optim';
import { noGrad } from '../../lib/tensor/autograd';
import { tensor } from '../../lib/tensor/create';
import { tidy } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { expectClose, param, values } from './support';

const kinds: Exclude<TorchKind, 'LBFGS'>[] = ['SGD', 'Adam', 'AdamW', 'RMSprop', 'Adagrad'];

const pair = (): [Tensor, Tensor] => [param([1, 2], [1, -1]), param([3], [0.5])];

function sgd(
  groups: Tensor[][],
  options: Parameters<typeof torchOptim.SGD>[1] = { lr: 1 },
): OptimWrapper {
  return new OptimWrapper(groups, torchOptim.SGD, options);
}

describe('hyper-parameters', () => {
  test("have fastai's names, with PyTorch's defaults", () => {
    const hypers = Object.fromEntries(
      kinds.map((kind) => {
        using opt = new OptimWrapper(param([1]), torchOptim[kind] as typeof torchOptim.SGD);
        return [kind, opt.hypers[0]];
      }),
    );
    expect(hypers).toEqual({
      SGD: { lr: 1e-3, mom: 0, dampening: 0, wd: 0 },
      Adam: { lr: 1e-3, mom: 0.9, sqr_mom: 0.999, eps: 1e-8, wd: 0 },
      AdamW: { lr: 1e-3, mom: 0.9, sqr_mom: 0.999, eps: 1e-8, wd: 0.01 },
      RMSprop: { lr: 1e-2, mom: 0, sqr_mom: 0.99, eps: 1e-8, wd: 0 },
      Adagrad: { lr: 1e-2, lr_decay: 0, eps: 1e-10, wd: 0 },
    });
  });

  test('spread over groups in the constructor and by setHypers', () => {
    const [a, b] = pair();
    using opt = sgd([[a], [b]], { lr: slice(1e-3, 1e-1), momentum: 0.5 });
    expect(opt.hypers.map(({ lr }) => lr)).toEqual([1e-3, 0.1]);
    opt.setHypers({ lr: [0, 2], mom: 0 });
    opt.step();
    expect([values(a), values(b)]).toEqual([[1, 2], [2]]);
  });

  test('take other names by hpMap; an entry for a setting that it lacks does nothing', () => {
    using opt = new OptimWrapper(param([1]), torchOptim.SGD, {
      lr: 1,
      hpMap: { momentum: 'friction', betas__0: 'mom' },
    });
    expect(Object.keys(opt.hypers[0]!)).toEqual(['lr', 'friction', 'dampening', 'weight_decay']);
  });

  test('that the optimizer lacks are refused by name', () => {
    using opt = new OptimWrapper(param([1]), torchOptim.Adagrad);
    expect(opt.hasHyper('mom')).toBe(false);
    expect(() => opt.setHyper('mom', 1)).toThrow("setHyper('mom'): no callback reads 'mom'");
  });
});

describe('groups and flags', () => {
  test('a frozen parameter is left out, unless it has force_train', () => {
    const [a, b] = pair();
    const c = param([5], [1]);
    using opt = sgd([[a, c], [b]]);
    opt.state.get(c).force_train = true;
    opt.freeze();
    opt.step();
    expect([values(a), values(c), values(b)]).toEqual([[1, 2], [4], [2.5]]);
    opt.unfreeze();
    opt.step();
    expect(values(a)).toEqual([0, 3]);
  });

  test.each(kinds)('do_wd keeps %s from decaying a parameter, whenever it is set', (kind) => {
    const [a, b] = [param([1], [0]), param([1], [0])];
    const make = torchOptim[kind] as typeof torchOptim.SGD;
    using opt = new OptimWrapper([a, b], make, { lr: 0.1, weight_decay: 0.1 });
    opt.state.get(b).do_wd = false;
    opt.step();
    expect(values(a)[0]).toBeLessThan(1);
    expect(values(b)).toEqual([1]);
    opt.state.get(b).do_wd = true;
    opt.step();
    expect(values(b)[0]).toBeLessThan(1);
  });

  test('momentum goes on when a parameter is no longer decayed', () => {
    const [a, b] = [param([1], [1]), param([1], [1])];
    using one = sgd([[a]], { lr: 0.1, momentum: 0.9 });
    using other = sgd([[b]], { lr: 0.1, momentum: 0.9 });
    for (let i = 0; i < 3; i++) {
      one.step();
      other.step();
      other.state.get(b).do_wd = i % 2 === 1;
    }
    expect(values(b)).toEqual(values(a));
  });

  test('addParamGroup adds a group with its own hypers', () => {
    const [a, b] = pair();
    using opt = new OptimWrapper(a, torchOptim.Adagrad, { lr: 0.1 });
    opt.step();
    opt.addParamGroup(b, { lr: 0 });
    opt.step();
    expect(values(b)).toEqual([3]);
    opt.setHyper('lr', 1);
    opt.step();
    expect(values(b)[0]).toBeLessThan(3);
  });

  test('a parameter without a gradient is left out', () => {
    const [a, b] = [param([1], [1]), param([1])];
    using opt = new OptimWrapper([a, b], torchOptim.Adam, { lr: 0.1 });
    opt.step();
    expect(values(b)).toEqual([1]);
    expect(opt.stateDict().state[1]).toEqual({});
  });

  test('summary and zeroGrad are those of every optimizer', () => {
    const [a, b] = pair();
    using opt = sgd([[a], [b]]);
    opt.freeze();
    opt.zeroGrad();
    expect(values(a.grad!)).toEqual([0, 0]);
    expect(opt.summary()).toMatch(/^0 .* frozen/m);
  });
});

describe('closures', () => {
  const quadratic = (p: Tensor, opt: OptimWrapper) => (): Tensor => {
    opt.zeroGrad();
    const loss = p.sub(3).square().sum();
    loss.backward();
    return loss;
  };

  test('step returns the loss that the closure gave first', () => {
    const p = param([1, 2]).requiresGrad_();
    using opt = sgd([[p]], { lr: 0.5 });
    expect(opt.step(quadratic(p, opt))!.item()).toBe(5);
    expect(values(p)).toEqual([3, 3]);
    expect(noGrad(() => opt.step(quadratic(p, opt)))!.item()).toBe(0);
  });

  test('LBFGS needs one', () => {
    using opt = new OptimWrapper(param([1]), torchOptim.LBFGS);
    expect(() => opt.step()).toThrow('OptimWrapper.step: expected a closure, which LBFGS calls');
  });

  test('LBFGS begins anew when other parameters are frozen', () => {
    const [a, b] = [param([1, 2]).requiresGrad_(), param([5]).requiresGrad_()];
    using opt = new OptimWrapper([a, b], torchOptim.LBFGS, { lr: 0.1, max_iter: 3 });
    const closure = (): Tensor => {
      opt.zeroGrad();
      const loss = a.square().sum().add(b.square().sum());
      if (loss.requiresGrad) loss.backward();
      return loss;
    };
    for (let i = 0; i < 3; i++) opt.step(closure);
    opt.state.get(a).force_train = true;
    opt.freezeTo(1);
    const frozen = values(b);
    const before = values(a)[1]!;
    for (let i = 0; i < 3; i++) opt.step(closure);
    expect(values(b)).toEqual(frozen);
    expect(values(a)[1]).toBeLessThan(before);
    opt.state.get(a).force_train = false;
    expect(opt.step(closure)).toBeUndefined();
  });

  test('what a closure throws comes out of step, and nothing is stepped', () => {
    const p = param([1], [1]);
    using opt = sgd([[p]]);
    expect(() =>
      opt.step(() => {
        throw new RangeError('mine');
      }),
    ).toThrow(RangeError);
    expect(values(p)).toEqual([1]);
    opt.step();
    expect(values(p)).toEqual([0]);
  });

  test.each<[string, (opt: OptimWrapper) => unknown]>([
    ['closure: expected a Tensor, got 3', () => 3],
    ['step: expected a synchronous function', () => Promise.resolve()],
    ['expected the closure to leave the optimizer alone', (opt) => opt.step()],
    [
      'expected the closure to leave the optimizer alone',
      (opt) => {
        opt.clearState();
      },
    ],
    [
      'disposed',
      (opt) => {
        opt.dispose();
        opt.step();
      },
    ],
  ])('%s', (message, body) => {
    const p = param([1], [1]);
    const opt = sgd([[p]]);
    expect(() => opt.step(() => body(opt) as Tensor)).toThrow(message);
    opt.dispose();
  });
});

test.each<[string, (p: Tensor) => unknown]>([
  [
    "torchOptim.SGD: unknown option 'mom' (did you mean 'momentum, or betas'?)",
    (p) => torchOptim.SGD(p, { mom: 1 } as never),
  ],
  ['Invalid learning rate', (p) => torchOptim.Adam(p, { lr: -1 })],
  ['Nesterov momentum requires a momentum', (p) => torchOptim.SGD(p, { lr: 1, nesterov: true })],
  [
    'expected betas to be two numbers, got [ 1 ]',
    (p) => torchOptim.Adam(p, { betas: [1] } as never),
  ],
  [
    "expected line_search_fn 'strong_wolfe', got 'x'",
    (p) => torchOptim.LBFGS(p, { line_search_fn: 'x' } as never),
  ],
  [
    "torchOptim.SGD: expected lr to be a number, numbers or a slice, got 'x'",
    (p) => torchOptim.SGD(p, { lr: 'x' } as never),
  ],
  ['max_iter: expected an integer', (p) => torchOptim.LBFGS(p, { max_iter: 1.5 })],
  [
    'torchOptim.LBFGS: expected one parameter group, got 2',
    (p) => torchOptim.LBFGS([[p], [tensor([1])]]),
  ],
  ['expected at least one parameter, got none', () => torchOptim.SGD([])],
  [
    'torchOptim: expected tensors, groups of tensors, or groups',
    () => torchOptim.SGD(undefined as never),
  ],
  [
    'OptimWrapper: expected an optimizer of torchOptim, or parameters and a factory',
    (p) => new OptimWrapper(p as never),
  ],
  [
    'OptimWrapper: expected an optimizer of torchOptim, or parameters and a factory',
    (p) => new OptimWrapper(p, SGD as never),
  ],
  [
    'such as torchOptim.SGD, got both',
    (p) => new OptimWrapper(torchOptim.SGD(p), torchOptim.SGD as never),
  ],
  [
    "OptimWrapper: unknown option 'lr'",
    (p) => new OptimWrapper(torchOptim.SGD(p), { lr: 1 } as never),
  ],
])('refused: %s', (message, make) => {
  expect(() => make(param([1]))).toThrow(message);
});

test('what libtorch has no callbacks for is refused', () => {
  const p = param([1], [1]);
  using opt = sgd([[p]]);
  expect(() => opt.traceStep(p)).toThrow('traceStep: expected an optimizer of callbacks');
  expect(() => opt.toFastai()).toThrow('toFastai: expected an optimizer of callbacks');
  expect(() => opt.cbs[0]!(p as never, {}, { lr: 1 })).toThrow('expected hyper');
  expect(opt.explain()).toBe("step() runs libtorch's own SGD for 1 parameters");
});

test('momentum that is set during training reaches RMSprop, which libtorch itself fails at', () => {
  const p = param([1], [1]);
  using opt = new OptimWrapper(p, torchOptim.RMSprop, { lr: 0.1 });
  opt.step();
  opt.setHyper('mom', 0.9);
  opt.step();
  expectClose(
    tidy(() => (p.isfinite().all().item() ? 1 : 0)),
    1,
  );
});

test('the compiler knows the options of each kind', () => {
  const p = param([1]);
  const wrong = () => {
    // @ts-expect-error AdamW has betas
    new OptimWrapper(p, torchOptim.AdamW, { lr: 1, momentum: 0.9 });
  };
  expect(wrong).toThrow("torchOptim.AdamW: unknown option 'momentum'");
  // @ts-expect-error it is two numbers
  expect(() => torchOptim.Adam(p, { betas: 0.9 })).toThrow('expected betas to be two numbers');
});
