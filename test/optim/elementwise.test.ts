import { ArgumentError, UnknownOptionError } from '../../lib/internal/errors';
import {
  elementwise,
  Optimizer,
  statCallback,
  stepStat,
  where,
  type AnyCallback,
  type DeclaredCallback,
  type Expr,
  type GradParam,
  type ParamState,
} from '../../lib/optim';
import { isDeclared } from '../../lib/optim/callback';
import { manualSeed } from '../../lib/tensor/generator';
import { randn, tensor } from '../../lib/tensor/create';
import { memory } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { expectClose, param, values } from './support';

/** Steps by the callbacks. */
function stepped(
  cbs: AnyCallback[],
  p: Tensor,
  hypers: Record<string, number> = {},
  steps = 1,
): ParamState {
  const opt = new Optimizer(p, cbs as DeclaredCallback[], hypers, { fused: false });
  for (let i = 0; i < steps; i++) opt.step();
  return opt.state.get(p);
}

const momentum = elementwise(
  { name: 'momentum', state: ['m'], hypers: ['lr', 'mom'], defaults: { mom: 0.5 } },
  ({ p, g, m, lr, mom }) => {
    const next = m.lerp(g, mom.rsub(1));
    return { p: p.sub(next.mul(lr)), m: next };
  },
);

test('it is a callback like any other: declared, frozen, known by identity', () => {
  expect([isDeclared(momentum), Object.isFrozen(momentum)]).toEqual([true, true]);
  const { kind, needs, makes, defaults } = momentum;
  expect([kind, needs, makes, defaults]).toEqual(['step', [], ['m'], { mom: 0.5 }]);
  expect([momentum.name, momentum.hypers]).toEqual(['momentum', ['lr', 'mom']]);
  expect(elementwise({ state: ['x'] }, ({ g }) => ({ x: g })).kind).toBe('stat');
});

test('the function is called once, when the callback is made', () => {
  const run = jest.fn(({ p, g }: { p: Expr; g: Expr }) => ({ p: p.sub(g) }));
  const cb = elementwise({}, run);
  expect(run).toHaveBeenCalledTimes(1);
  const p = param([1], [1]);
  stepped([cb], p, {}, 3);
  expect(run).toHaveBeenCalledTimes(1);
  expect(values(p)).toEqual([-2]);
});

test('what it makes is 0 at first, and hypers are read at each step', () => {
  const p = param([1, 2], [1, -1]);
  const opt = new Optimizer(p, momentum, { lr: 1 }, { fused: false });
  opt.step();
  expectClose(opt.state.get(p)['m'] as Tensor, [0.5, -0.5]);
  expectClose(p, [0.5, 2.5]);
  opt.setHypers({ lr: 2, mom: 0 });
  opt.step();
  expectClose(opt.state.get(p)['m'] as Tensor, [1, -1]);
  expectClose(p, [-1.5, 4.5]);
  opt.dispose();
});

test('all is read as it was before the callback, also where one takes the value of another', () => {
  const swap = elementwise({ state: ['a', 'b'] }, ({ p, g, a, b }) => ({
    p: g,
    g: p,
    a: b.add(1),
    b: a,
  }));
  const p = param([1, 2], [3, 4]);
  const state = stepped([swap], p);
  expect([values(p), values(p.grad!)]).toEqual([[3, 4], [1, 2]]); // prettier-ignore
  expect([values(state['a'] as Tensor), values(state['b'] as Tensor)]).toEqual([[1], [0]]);
  const other = stepped([swap], p, {}, 2);
  expect([values(other['a'] as Tensor), values(other['b'] as Tensor)]).toEqual([[1], [1]]);
  expect(values(p)).toEqual([3, 4]);
});

test('a state that is the gradient is a copy of it', () => {
  const last = elementwise({ state: ['last'], needs: ['step'] }, ({ g, step, last: old }) => ({
    last: where(step.eq(1), g, old),
  }));
  const p = param([1], [5]);
  const state = stepped([stepStat, last], p);
  p.grad!.zero_();
  expect(values(state['last'] as Tensor)).toEqual([5]);
});

test('the gradient may be changed for the callbacks behind it', () => {
  const clip = elementwise({ hypers: ['bound'] }, ({ g, bound }) => ({
    g: g.clamp({ min: bound.neg(), max: bound }),
  }));
  const p = param([0, 0], [3, -0.5]);
  stepped([clip, momentum], p, { lr: 1, mom: 0, bound: 1 });
  expect([values(p.grad!), values(p)]).toEqual([[1, -0.5], [-1, 0.5]]); // prettier-ignore
});

test('state that is the same for all elements is one number; what needs it computes with that', () => {
  const lengths = elementwise({ state: ['length', 'average'], hypers: ['mom'] }, (x) => ({
    length: x.g.norm(),
    average: x.average.mul(x.mom).add(x.g.norm()),
  }));
  const unit = elementwise({ needs: ['length'] }, ({ p, g, length }) => ({
    p: p.sub(g.div(length)),
  }));
  const p = param([1, 1], [3, -4]);
  const state = stepped([lengths, unit], p, { mom: 0.5 }, 2);
  const [length, average] = [state['length'] as Tensor, state['average'] as Tensor];
  expect([length.shape, length.dtype, average.toArray()]).toEqual([[], 'float32', 7.5]);
  expectClose(p, [-0.2, 2.6]);
});

test('state that depends on a tensor is one, also in a step in which it could be a number', () => {
  const late = elementwise({ state: ['a', 'b', 'c'] }, ({ g, a, b }) => ({
    a: b,
    b: g,
    c: a.add(1),
  }));
  const p = param([0, 0], [1, 2]);
  const state = stepped([late], p);
  expect(['a', 'b', 'c'].map((key) => values(state[key] as Tensor))).toEqual([[0, 0], [1, 2], [1, 1]]); // prettier-ignore
});

test('do_wd is 0 where weight decay is off', () => {
  const decay = elementwise({ hypers: ['wd'] }, ({ p, do_wd, wd }) => ({
    p: p.mul(do_wd.mul(wd).rsub(1)),
  }));
  const after = (flag?: boolean) => {
    const p = param([8], [0]);
    const opt = new Optimizer(p, decay, { wd: 0.25 }, { fused: false });
    if (flag !== undefined) opt.state.get(p).do_wd = flag;
    opt.step();
    return values(p)[0];
  };
  expect([after(), after(true), after(false)]).toEqual([6, 6, 8]);
});

test('optional state is undefined in the function until a stat has made it', () => {
  const cb = elementwise({ optional: ['m'], hypers: ['lr'] }, ({ p, g, lr, m = g }) => ({
    p: p.sub(m.mul(lr)),
  }));
  const [p, q] = [param([1], [1]), param([1], [1])];
  stepped([cb], p, { lr: 1 });
  stepped([statCallback({ state: ['m'] }, () => ({ m: tensor([3]) })), cb], q, { lr: 1 });
  expect([values(p), values(q)]).toEqual([[0], [-2]]);
});

test.each(['bfloat16', 'float16'] as const)(
  '%s is computed in float32 and rounded once',
  (dtype) => {
    manualSeed(3);
    const [start, grad] = [randn([64]).to(dtype), randn([64]).to(dtype)];
    const p = start.clone();
    p.grad = grad.clone();
    const state = stepped([momentum], p, { lr: 0.3, mom: 0.9 });
    const m = grad.to('float32').mul(1 - 0.9);
    expectClose(state['m'] as Tensor, values(m));
    expect((state['m'] as Tensor).dtype).toBe('float32');
    expect(values(p)).toEqual(values(start.to('float32').sub(m.mul(0.3)).to(dtype)));
  },
);

test.each<[string, Tensor]>([
  ['no dimensions', tensor(2)],
  ['no elements', tensor([])],
])('a parameter of %s', (_, p) => {
  const cb = elementwise({ state: ['mean', 'm'] }, ({ p: x, g, m }) => ({
    ...{ p: x.sub(g.mul(g.norm())), mean: g.mean(), m: m.add(g) },
  }));
  p.grad = p.mul(2);
  const wanted = p.sub(p.grad.mul(p.grad.norm()));
  const state = stepped([cb], p, {}, 1);
  expect([values(p), p.shape]).toEqual([values(wanted), wanted.shape]);
  expect([(state['mean'] as Tensor).shape, (state['m'] as Tensor).shape]).toEqual([[], p.shape]);
});

test('no tensor is made or lost from the second step on', () => {
  const p = param([1, 2], [1, 1]);
  const opt = new Optimizer(p, [stepStat, momentum], { lr: 1 }, { fused: false });
  const counts = Array.from({ length: 5 }, () => {
    opt.step();
    return memory().tensors;
  });
  expect(new Set(counts).size).toBe(1);
  opt.dispose();
});

test('it may be called by hand, records nothing for backward, and asks for what is missing', () => {
  const p = param([1], [1]).requiresGrad_() as GradParam;
  const patch = momentum(p, {}, { lr: 1, mom: 0 }) as { m: Tensor };
  expect([values(p), values(patch.m), p.gradFn]).toEqual([[0], [1], null]);
  expect(() => momentum(p, {}, { lr: 1 })).toThrow(/expected hyper 'mom', got none/);
  const needy = elementwise({ name: 'needy', needs: ['m'] }, ({ m }) => ({ p: m }));
  expect(() => needy(p, {}, {})).toThrow(/needy: expected state 'm', got none; put the stat/);
  expect(() => needy(p, { m: 3 }, {})).toThrow(/expected a tensor as state 'm', got 3/);
});

test('traceStep shows what it reads, changes and returns', () => {
  const p = param([1], [1]);
  const opt = new Optimizer(p, momentum, { lr: 1 });
  const [traced] = opt.traceStep(p).callbacks;
  expect(traced?.read).toEqual({ m: undefined, lr: 1, mom: 0.5 });
  expect(traced?.changed['p']).toEqual({ before: [1], after: [0.5] });
  expect(traced?.returned).toEqual({ m: [0.5] });
  opt.dispose();
});

// ---- what is refused ----

const any = (run: unknown) => run as () => { p: Expr; m: Expr };

test.each<[string, () => unknown, RegExp]>([
  [
    'a name that is not declared',
    () =>
      elementwise(
        { name: 'mine', hypers: ['lr'] },
        any(({ mom }: { mom: Expr }) => ({ p: mom })),
      ),
    /mine: 'mom' is not declared; it reads p, g, do_wd, lr/,
  ],
  [
    'a new value of something else',
    () =>
      elementwise(
        { state: ['m'] },
        any(({ p }: { p: Expr }) => ({ m: p, mm: p })),
      ),
    /expected new values of p, g, m, got 'mm'; declare as state what it makes/,
  ],
  [
    'no new value at all',
    () =>
      elementwise(
        {},
        any(() => ({})),
      ),
    /expected new values of p, g, got none/,
  ],
  [
    'no object',
    () =>
      elementwise(
        {},
        any(({ p }: { p: Expr }) => p),
      ),
    /expected an object of new values/,
  ],
  [
    'a promise',
    () =>
      elementwise(
        {},
        any(() => Promise.resolve()),
      ),
    /expected new values of p, g, got none/,
  ],
  [
    'a state without a new value',
    () =>
      elementwise(
        { state: ['m'] },
        any(({ p }: { p: Expr }) => ({ p })),
      ),
    /expected a new value of state 'm', got none/,
  ],
  [
    'a tensor as a new value',
    () =>
      elementwise(
        {},
        any(() => ({ p: tensor([1]) })),
      ),
    /expected a number or an expression/,
  ],
  [
    'a name twice',
    () => elementwise({ state: ['lr'], hypers: ['lr'] }, ({ lr }) => ({ lr })),
    /expected each name once, got 'lr' twice/,
  ],
  [
    'state that others keep',
    () => elementwise({ state: ['step'] }, ({ step }) => ({ step })),
    /expected state of another name than 'step'/,
  ],
  [
    'no function',
    () => elementwise({}, any(3)),
    /elementwise: expected \(\{ p, g, ... \}\) => .*, got 3/,
  ],
])('%s is refused', (_, make, message) => {
  expect(make).toThrow(message);
  expect(make).toThrow(ArgumentError);
});

test('unknown keys of the declaration are refused', () => {
  expect(() => elementwise({ makes: ['m'] } as object, ({ p }) => ({ p }))).toThrow(
    UnknownOptionError,
  );
});

test('an expression of another callback is refused', () => {
  let leaked: Expr | undefined;
  elementwise({ hypers: ['lr'] }, ({ p, lr }) => ({ p: p.mul((leaked = lr)) }));
  expect(() => elementwise({}, ({ p }) => ({ p: p.mul(leaked!) }))).toThrow(
    /'lr' is an expression of another callback/,
  );
});
