import {
  averageGrad,
  averageSqrGrad,
  debias,
  Nadam,
  Optimizer,
  stepCallback,
  stepStat,
  weightDecay,
  type Callback,
} from '../../lib/optim';
import type { Tensor } from '../../lib/tensor/tensor';
import type { DType } from '../../lib/tensor/dtype';
import { expectClose, param, values } from './support';

// The article's "Nadam step test example.xlsx": p = [1, 2, 3], the gradient 0.1 in both steps, lr = 1.
const sheet = [
  {
    decayed: [0.99, 1.98, 2.97],
    grad_avg: 0.01,
    sqr_avg: 0.0001,
    d1: 0.1,
    d2: 0.01,
    num: 0.019,
    p: [-0.9099998100000191, 0.08000018999998093, 1.0700001899999807],
  },
  {
    decayed: [-0.9008998119000189, 0.07920018809998113, 1.0593001880999808],
    grad_avg: 0.019,
    sqr_avg: 0.000199,
    d1: 0.19,
    d2: 0.0199,
    num: 0.0271,
    p: [-2.327215458742139, -1.347115458742139, -0.36701545874213926],
  },
];

const three = (value: number): number[] => [value, value, value];

/** The NAdam step as the article writes it; records the values at which its debugger stops. */
function recordingNadamStep(seen: { d1: number; d2: number; num: number[] }[]) {
  return stepCallback(
    {
      state: ['step', 'grad_avg', 'sqr_avg'],
      hypers: ['lr', 'mom', 'sqr_mom', 'eps'],
      defaults: { eps: 1e-8 },
    },
    (p, { step, grad_avg, sqr_avg }, { lr, mom, sqr_mom, eps }) => {
      const num = grad_avg.mul(mom).add(p.grad, { alpha: 1 - mom });
      const [d1, d2] = [debias(mom, 1 - mom, step), debias(sqr_mom, 1 - sqr_mom, step)];
      const denom = sqr_avg.div(d2).sqrt_().add_(eps);
      seen.push({ d1, d2, num: values(num) });
      p.addcdiv_(num, denom, { value: -lr / d1 });
    },
  );
}

const spy =
  (seen: number[][]): Callback =>
  (p) =>
    void seen.push(values(p));

function checkSteps(opt: Optimizer, p: Tensor, decayed: number[][]): void {
  sheet.forEach((row, i) => {
    opt.step();
    const state = opt.state.get(p);
    expectClose(decayed[i]!, row.decayed);
    expectClose(state.grad_avg!, three(row.grad_avg));
    expectClose(state.sqr_avg!, three(row.sqr_avg));
    expect(state.step).toBe(i + 1);
    expectClose(p, row.p);
  });
}

describe.each<DType>(['float32', 'float64'])("the article's Excel example in %s", (dtype) => {
  test('Nadam gives every value of both steps', () => {
    const p = param([1, 2, 3], [0.1, 0.1, 0.1], dtype);
    const opt = Nadam(p, { lr: 1 });
    const decayed: number[][] = [];
    opt.cbs.splice(1, 0, spy(decayed));
    checkSteps(opt, p, decayed);
    expect(Object.keys(opt.state.get(p))).toEqual(['grad_avg', 'sqr_avg', 'step']);
    opt.dispose();
  });

  test("the reader's own nadamStep gives every value of both steps", () => {
    const p = param([1, 2, 3], [0.1, 0.1, 0.1], dtype);
    const decayed: number[][] = [];
    const seen: { d1: number; d2: number; num: number[] }[] = [];
    const cbs = [
      weightDecay,
      spy(decayed),
      averageGrad({ dampening: true }),
      averageSqrGrad(),
      stepStat,
      recordingNadamStep(seen),
    ];
    const opt = new Optimizer(p, cbs, { lr: 1, wd: 0.01 });
    checkSteps(opt, p, decayed);
    sheet.forEach(({ d1, d2, num }, i) => {
      expectClose(seen[i]!.d1, d1);
      expectClose(seen[i]!.d2, d2);
      expectClose(seen[i]!.num, three(num));
    });
    opt.dispose();
  });
});

test('Nadam in float64 gives the spreadsheet to 1e-12', () => {
  const p = param([1, 2, 3], [0.1, 0.1, 0.1], 'float64');
  const opt = Nadam(p, { lr: 1 });
  for (const row of sheet) {
    opt.step();
    expectClose(p, row.p, 1e-12);
  }
  opt.dispose();
});
