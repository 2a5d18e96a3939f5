import { inspect } from 'node:util';
import {
  Lookahead,
  Nadam,
  Optimizer,
  SGD,
  sgdStep,
  stepCallback,
  type StepTrace,
} from '../../lib/optim';
import { expectClose, param, values } from './support';

const three = (value: number): number[] => [value, value, value];

function find(trace: StepTrace, name: string): StepTrace['callbacks'][number] {
  return trace.callbacks.find((each) => each.name.startsWith(name))!;
}

test("traceStep tells every value of the article's Excel example", () => {
  const p = param([1, 2, 3], [0.1, 0.1, 0.1], 'float64');
  const opt = Nadam(p, { lr: 1 });
  const [first, second] = [opt.traceStep(p), opt.traceStep(p)];
  expect(first.callbacks.map(({ name }) => name)).toEqual(opt.cbs.map(({ name }) => name));

  expect(find(first, 'weightDecay').read).toMatchObject({ lr: 1, wd: 0.01 });
  expect(find(first, 'weightDecay').changed.p!.before).toEqual([1, 2, 3]);
  expectClose(find(first, 'weightDecay').changed.p!.after as number[], [0.99, 1.98, 2.97], 1e-12);
  expect(find(first, 'averageGrad(').changed.grad_avg!.before).toBeUndefined();
  expectClose(find(first, 'averageGrad(').returned!.grad_avg as number[], three(0.01), 1e-12);
  expectClose(find(first, 'averageSqrGrad').returned!.sqr_avg as number[], three(0.0001), 1e-12);
  expect(find(first, 'stepStat').returned).toEqual({ step: 1 });
  expectClose(
    find(first, 'nadamStep').changed.p!.after as number[],
    [-0.9099998100000191, 0.08000018999998093, 1.0700001899999807],
    1e-12,
  );

  const decayed = [-0.9008998119000189, 0.07920018809998113, 1.0593001880999808];
  expectClose(find(second, 'weightDecay').changed.p!.after as number[], decayed, 1e-12);
  expectClose(
    find(second, 'averageGrad(').changed.grad_avg!.before as number[],
    three(0.01),
    1e-12,
  );
  expectClose(
    find(second, 'averageGrad(').changed.grad_avg!.after as number[],
    three(0.019),
    1e-12,
  );
  expect(find(second, 'nadamStep').read).toMatchObject({ lr: 1, mom: 0.9, step: 2 });
  expect(find(second, 'nadamStep').returned).toBeUndefined();
  opt.dispose();
});

test('a traced step is an ordinary step for all parameters', () => {
  const make = () => {
    const params = [param([1, 2], [0.5, -1]), param([3], [2])];
    return { params, opt: Nadam([[params[0]!], [params[1]!]], { lr: 0.1 }) };
  };
  const [one, other] = [make(), make()];
  one.opt.step();
  other.opt.traceStep(other.params[0]!);
  expect(other.params.map(values)).toEqual(one.params.map(values));
  expect(other.opt.state.get(other.params[1]!).step).toBe(1);
  one.opt.dispose();
  other.opt.dispose();
});

test('a trace prints as a table', () => {
  const p = param([1, 2], [1, 1]);
  const opt = SGD(p, { lr: 0.5, mom: 0.9 });
  expect(inspect(opt.traceStep(p)).split('\n')).toEqual([
    'callback                value     before   after',
    'weightDecay    reads    do_wd     nothing',
    '               reads    lr        0.5',
    '               reads    wd        0',
    'averageGrad()  reads    grad_avg  nothing',
    '               reads    mom       0.9',
    '               returns  grad_avg  nothing  [1, 1]',
    'momentumStep   reads    grad_avg  [1, 1]',
    '               reads    lr        0.5',
    '               changes  p         [1, 2]   [0.5, 1.5]',
  ]);
  opt.dispose();
});

test('long tensors are cut in the table', () => {
  const p = param(
    Array.from({ length: 20 }, (_, i) => i),
    Array.from({ length: 20 }, () => 1),
  );
  const text = String(SGD(p, { lr: 1 }).traceStep(p));
  expect(text).toContain('[0, 1, 2, 3, 4, 5, ... 14 more]');
});

test('plain functions are traced, with what they change by hand', () => {
  const p = param([1], [1]);
  const mark = function mark(_: unknown, state: Record<string, unknown>): void {
    state.seen = true;
  };
  const trace = new Optimizer(p, [mark, sgdStep], { lr: 1 }).traceStep(p);
  expect(trace.callbacks[0]).toEqual({
    name: 'mark',
    read: {},
    changed: { seen: { before: undefined, after: true } },
    returned: undefined,
  });
});

test('a parameter that the step leaves out says so', () => {
  const [a, b] = [param([1], [1]), param([2])];
  const opt = SGD([[a], [b]], { lr: 1 });
  opt.freezeTo(1);
  for (const p of [a, b]) {
    const trace = opt.traceStep(p);
    expect(trace.callbacks).toEqual([]);
    expect(String(trace)).toBe(
      'the step left this parameter out: it has no gradient, or is frozen',
    );
  }
});

test('after a callback has thrown, steps are not traced any more', () => {
  const p = param([1], [1]);
  let throws = true;
  const touchy = stepCallback({ name: 'touchy' }, () => {
    if (throws) throw new Error('mine');
  });
  const opt = new Optimizer(p, [touchy, sgdStep], { lr: 1 });
  expect(() => opt.traceStep(p)).toThrow('mine');
  throws = false;
  opt.step();
  expect(values(p)).toEqual([0]);
});

test('what is no parameter of the optimizer is refused', () => {
  const opt = SGD(param([1]), { lr: 1 });
  expect(() => opt.traceStep(param([1]))).toThrow(
    "traceStep: expected one of the optimizer's 1 parameters, got",
  );
  expect(() => opt.traceStep(3 as never)).toThrow("one of the optimizer's 1 parameters, got 3");
});

test('traceStep of a Lookahead takes its whole step, slow weights included', () => {
  const [traced, stepped] = [param([1], [1]), param([1], [1])];
  const one = new Lookahead(SGD(traced, { lr: 1 }), { k: 1 });
  const two = new Lookahead(SGD(stepped, { lr: 1 }), { k: 1 });
  one.traceStep(traced);
  two.step();
  expect(values(traced)).toEqual(values(stepped));
  for (const opt of [one, two]) opt.dispose();
});
