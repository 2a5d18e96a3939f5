import {
  Adam,
  averageGrad,
  momentumStep,
  Nadam,
  Optimizer,
  SGD,
  sgdStep,
  slice,
  stepCallback,
  weightDecay,
  type Callback,
  type HyperValue,
  type HyperValues,
} from '../../lib/optim';
import { param, expectClose, values } from './support';

const groups = (count: number) => Array.from({ length: count }, (_, i) => [param([i], [1])]);
const three = (lr: HyperValue = 1): Optimizer =>
  new Optimizer(groups(3), [weightDecay, sgdStep], { lr });
const read = (opt: Optimizer, name: string): number[] => opt.hypers.map((hyper) => hyper[name]!);

test('setHyper gives one value to all groups', () => {
  const opt = three();
  opt.setHyper('lr', 0.5);
  expect(read(opt, 'lr')).toEqual([0.5, 0.5, 0.5]);
});

test('setHyper gives each group its value of a list, and a list of one to all', () => {
  const opt = three();
  opt.setHyper('lr', [1, 2, 3]);
  expect(read(opt, 'lr')).toEqual([1, 2, 3]);
  opt.setHyper('lr', new Float64Array([4, 5, 6]));
  expect(read(opt, 'lr')).toEqual([4, 5, 6]);
  opt.setHyper('lr', [7]);
  expect(read(opt, 'lr')).toEqual([7, 7, 7]);
});

test('setHyper spreads a slice with a start in even multiples', () => {
  const opt = three();
  opt.setHyper('lr', slice(1e-5, 1e-3));
  expectClose(read(opt, 'lr'), [1e-5, 1e-4, 1e-3], 1e-15);
});

test('setHyper gives a tenth to all but the last group of a slice without a start', () => {
  const opt = three();
  for (const value of [slice(1e-3), slice(0, 1e-3), slice(undefined, 1e-3)]) {
    opt.setHyper('lr', value);
    expect(read(opt, 'lr')).toEqual([1e-4, 1e-4, 1e-3]);
  }
});

test('a slice gives its stop to the only group', () => {
  const opt = SGD(param([1]), { lr: slice(1e-5, 1e-3) });
  expect(read(opt, 'lr')).toEqual([1e-3]);
  opt.setHyper('lr', slice(2));
  expect(read(opt, 'lr')).toEqual([2]);
});

test('slices and lists set any hyper, also in the constructor', () => {
  const opt = Nadam(groups(3), { lr: slice(1, 4), wd: [0, 0.1, 0.2], mom: slice(0.9) });
  expectClose(read(opt, 'lr'), [1, 2, 4], 1e-15);
  expect(read(opt, 'wd')).toEqual([0, 0.1, 0.2]);
  expectClose(read(opt, 'mom'), [0.09, 0.09, 0.9], 1e-15);
});

test('setHyper refuses another number of values than groups', () => {
  const opt = three();
  expect(() => opt.setHyper('lr', [1, 2])).toThrow(
    "setHyper('lr'): got 2 values for 3 parameter groups",
  );
  expect(() => opt.setHyper('lr', [])).toThrow(
    "setHyper('lr'): got 0 values for 3 parameter groups",
  );
});

test.each<[unknown]>([['0.1'], [undefined], [null], [NaN], [[1, '2', 3]]])(
  'setHyper refuses %p',
  (value) => {
    expect(() => three().setHyper('lr', value as number)).toThrow(
      "setHyper('lr'): expected a number, numbers or a slice",
    );
  },
);

test('setHypers changes nothing when one value is refused', () => {
  const opt = three();
  expect(() => opt.setHypers({ lr: 9, wd: [1, 2] })).toThrow("setHyper('wd')");
  expect(opt.hypers[0]).toEqual({ lr: 1, wd: 0 });
});

test('a hyper that no callback reads is refused with those that one does', () => {
  const opt = three();
  const refused = expect.objectContaining({
    code: 'ERR_TORCH_UNKNOWN_OPTION',
    message: expect.stringContaining(
      "no callback reads 'momentum' (did you mean 'mom'?); this optimizer has wd, lr",
    ) as string,
  }) as Error;
  expect(() => opt.setHyper('momentum', 0.9)).toThrow(refused);
  const hypers: HyperValues = { lr: 1, momentum: 1 }; // in place the compiler would refuse it
  expect(() => new Optimizer(param([1]), [weightDecay, sgdStep], hypers as { lr: 1 })).toThrow(
    refused,
  );
  expect(opt.hasHyper('momentum')).toBe(false);
  expect(opt.hasHyper('wd')).toBe(true);
});

test('a plain function as a callback lets any hyper through', () => {
  const seen: number[] = [];
  const plain: Callback = (_p, _state, { temperature }) => void seen.push(temperature!);
  const opt = new Optimizer(groups(1), plain, { temperature: 3 });
  opt.step();
  expect(opt.hasHyper('anything')).toBe(true);
  expect(seen).toEqual([3]);
});

test('a hyper that nobody gives is refused by the callback that reads it', () => {
  const cbs: Callback[] = [weightDecay, sgdStep];
  expect(() => new Optimizer(param([1]), cbs)).toThrow(
    "Optimizer: expected 'lr', which weightDecay reads and has no default for",
  );
});

test("values that are passed win over a callback's defaults, and a later default over an earlier", () => {
  const first: Callback = Object.assign(() => undefined, { defaults: { a: 1, b: 1 } });
  const second: Callback = Object.assign(() => undefined, { defaults: { b: 2, c: 2 } });
  const opt = new Optimizer(param([1]), [first, second], { c: 3, d: 4 });
  expect(opt.hypers).toEqual([{ a: 1, b: 2, c: 3, d: 4 }]);
  expect(Object.keys(opt.hypers[0]!)).toEqual(['a', 'b', 'c', 'd']);
});

test('the defaults of the factories are those of fastai and of the article', () => {
  expect(SGD(param([1]), { lr: 1 }).hypers).toEqual([{ lr: 1, wd: 0 }]);
  expect(SGD(param([1]), { lr: 1, mom: 0.9 }).hypers).toEqual([{ lr: 1, wd: 0, mom: 0.9 }]);
  expect(Adam(param([1]), { lr: 1 }).hypers).toEqual([
    { lr: 1, wd: 0.01, mom: 0.9, sqr_mom: 0.99, eps: 1e-5 },
  ]);
  expect(Nadam(param([1]), { lr: 1 }).hypers).toEqual([
    { lr: 1, wd: 0.01, mom: 0.9, sqr_mom: 0.99, eps: 1e-8 },
  ]);
});

test("a factory refuses an unknown option, with PyTorch's names in mind", () => {
  expect(() => Nadam(param([1]), { lr: 1, betas: [0.9, 0.99] } as { lr: number })).toThrow(
    "Nadam: unknown option 'betas' (did you mean 'mom, sqr_mom'?)",
  );
  expect(() => Adam(param([1]), { learningRate: 1 } as unknown as { lr: number })).toThrow(
    "Adam: unknown option 'learningRate' (did you mean 'lr'?)",
  );
  expect(() => SGD(param([1]), { lr: 1, eps: 1 } as { lr: number })).toThrow(
    "SGD: unknown option 'eps'",
  );
});

test('a factory needs a learning rate', () => {
  expect(() => SGD(param([1]), {} as { lr: number })).toThrow(
    'SGD: expected a learning rate, got none',
  );
});

test('hypers of a group are shared by its parameters, and a change counts from the next step on', () => {
  const [a, b] = [param([1], [1]), param([2], [1])];
  const opt = SGD([a, b], { lr: 0.5 });
  opt.step();
  opt.setHyper('lr', 0.25);
  opt.step();
  expect([values(a), values(b)]).toEqual([[0.25], [1.25]]);
});

test('mom is read at each step, so that debias follows it', () => {
  const p = param([1], [1], 'float64');
  const opt = Adam(p, { lr: 1, wd: 0 });
  opt.step();
  opt.setHyper('mom', 0.5);
  const before = values(p)[0]!;
  opt.step();
  // grad_avg = 0.1, then 0.5 * 0.1 + 0.5; d1 = 1 - 0.5 ** 2 with the mom of now; sqr_avg / d2 = 1.
  expectClose(p, [before - 0.55 / 0.75 / (1 + 1e-5)], 1e-12);
  opt.dispose();
});

test('defaults of a callback that is added later come with it; what it lacks is refused', () => {
  const p = param([1], [1]);
  const opt = SGD(p, { lr: 1 });
  opt.cbs.push(averageGrad());
  opt.step();
  expect(opt.hypers[0]).toEqual({ lr: 1, wd: 0, mom: 0.9 });
  opt.cbs.push(
    momentumStep,
    stepCallback({ name: 'bounded', hypers: ['bound'] }, () => undefined),
  );
  expect(() => opt.step()).toThrow(
    "Optimizer: expected 'bound', which bounded reads and has no default for",
  );
  opt.dispose();
});
