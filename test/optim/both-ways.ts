import { manualSeed, optim, randn, type DType, type Tensor } from '../../lib/index';
import { Tensor as TensorClass } from '../../lib/tensor/tensor';
import { testDevice } from '../support/cuda';
import { difference, values } from './support';

/** Makes an optimizer, as its factory or a test has it. */
export type Make = (
  params: optim.Params,
  options: { lr: optim.HyperValue; decouple_wd?: boolean; fused?: optim.Fused },
) => optim.Optimizer;

/** How both ways are compared. */
export interface Case {
  readonly dtype: DType;
  readonly groups: number;
  readonly decouple_wd: boolean;
}

/** The cases that every optimizer goes through. */
export const cases: readonly Case[] = [
  { dtype: 'float32', groups: 1, decouple_wd: true },
  { dtype: 'float32', groups: 3, decouple_wd: false },
  { dtype: 'float64', groups: 3, decouple_wd: true },
  { dtype: 'float64', groups: 1, decouple_wd: false },
];

const shapes = [[3, 4], [7], [1], [2, 3, 3], [1025], [0]];

/** How far two lists are apart, relative to the length of the second. */
export function relative(got: readonly number[], wanted: readonly number[]): number {
  if (got.length !== wanted.length) return Infinity;
  const length = (list: readonly number[]) => Math.hypot(...list);
  return length(got.map((value, i) => value - (wanted[i] ?? NaN))) / Math.max(length(wanted), 1e-3);
}

/** Draws the same numbers for each device and dtype. */
function draw(shape: readonly number[], dtype: DType): Tensor {
  return randn(shape, { dtype: 'float64' }).to(dtype).to(testDevice);
}

function parameters(dtype: DType): Tensor[] {
  manualSeed(7);
  return shapes.map((shape) => draw(shape, dtype));
}

/** Takes 50 steps: one and the same sequence of events for both ways; gradients are drawn anew for each step. */
export function run(fused: optim.Fused, make: Make, { dtype, groups: count, decouple_wd }: Case) {
  const params = parameters(dtype);
  const cut = Math.ceil(params.length / count);
  const groups = Array.from({ length: count }, (_, i) => params.slice(i * cut, (i + 1) * cut));
  const opt = make(groups, { lr: optim.slice(1e-3, 1e-2), decouple_wd, fused });
  opt.state.get(params[1]!).do_wd = false;
  opt.state.get(params[0]!).force_train = true;
  manualSeed(11);
  for (let step = 0; step < 50; step++) {
    params.forEach((p, i) => {
      const grad = draw(p.shape, dtype);
      p.grad = step % 5 === i && step < 25 ? null : grad; // some are missing, some come late
    });
    if (count > 1 && step === 10) opt.freezeTo(1);
    if (count > 1 && step === 20) opt.unfreeze();
    if (step === 15) opt.setHypers({ lr: 5e-3 });
    if (step === 30) opt.clearState();
    opt.step();
  }
  const result = {
    why: opt.explain(),
    weights: params.map(values),
    grads: params.map((p) => (p.grad ? values(p.grad) : [])),
    states: params.map((p) =>
      Object.entries(opt.state.get(p))
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([key, value]) => ({
          key,
          shape: value instanceof TensorClass ? value.shape : undefined,
          values: value instanceof TensorClass ? values(value) : [Number(value)],
        })),
    ),
  };
  opt.dispose();
  return result;
}

/** Expects the same weights, gradients and states of both ways: to 1e-6 in float32 and 1e-12 in float64. */
export function expectSameBothWays(make: Make, one: Case): void {
  const [fused, plain] = [run('auto', make, one), run(false, make, one)];
  expect(fused.why).toMatch(/ in (one pass|\d+ passes) over/);
  expect(plain.why).toContain('as fused is false');
  const tolerance = one.dtype === 'float32' ? 1e-6 : 1e-12;
  // Single float32 elements, and averages near 0, drift a little further than weights: by some roundings in 50 steps.
  const ofElements = one.dtype === 'float32' ? 4e-6 : 1e-12;
  plain.weights.forEach((wanted, i) => {
    expect(relative(fused.weights[i]!, wanted)).toBeLessThanOrEqual(tolerance);
    expect(difference(fused.weights[i]!, wanted)).toBeLessThanOrEqual(ofElements);
    expect(relative(fused.grads[i]!, plain.grads[i]!)).toBeLessThanOrEqual(tolerance);
    const [got, states] = [fused.states[i]!, plain.states[i]!];
    expect(got.map(({ key, shape }) => [key, shape])).toEqual(
      states.map(({ key, shape }) => [key, shape]),
    );
    states.forEach((state, k) =>
      expect(relative(got[k]!.values, state.values)).toBeLessThanOrEqual(ofElements),
    );
  });
}
