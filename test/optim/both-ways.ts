// Steps the same weights by the kernels and by the callbacks, side by side, through what an optimizer can meet.
import { noGrad, optim, tensor, type DType, type Tensor } from '../../lib/index';
import { Tensor as TensorClass } from '../../lib/tensor/tensor';
import { testDevice } from '../support/cuda';
import { difference, values } from './support';

/** Makes an optimizer, as its factory or a test has it. */
export type Make = (
  params: optim.Params,
  options: {
    lr: optim.HyperValue;
    decouple_wd?: boolean;
    fused?: optim.Fused;
    stateDtype?: optim.StateDtype;
  },
) => optim.Optimizer;

/** What an optimizer can meet. */
export const axes = {
  dtype: ['float32', 'float64', 'bfloat16', 'float16'],
  /** Of averages; those of float64 weights are float64. */
  stateDtype: ['float32', 'bfloat16'],
  groups: [1, 3],
  wd: [0, 0.05],
  decouple_wd: [true, false],
  noDecay: [false, true],
  freezing: [false, true],
  forceTrain: [false, true],
  missing: [false, true],
  slices: [false, true],
  clearing: [false, true],
  /** Matrices lie in memory column by column. */
  transposed: [false, true],
  /** Gradients are scaled first and zeroed last. */
  extras: [false, true],
  lookahead: [false, true],
  ema: [false, true],
  /** The kernels' side goes by the callbacks in steps chosen at random. */
  detours: [false, true],
} as const;

/** One point of the product of all axes. */
export type Setting = { readonly [K in keyof typeof axes]: (typeof axes)[K][number] };

/** The simplest setting. */
export const plainSetting = (dtype: Setting['dtype']): Setting => ({
  ...(Object.fromEntries(Object.entries(axes).map(([axis, [first]]) => [axis, first])) as Setting),
  ...{ dtype, wd: 0.05 },
});

/** Makes numbers from 0 to 1, the same for a seed. Source: mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

const shapes = [[3, 5], [9], [], [2, 33], [0], [131]];
const nothing: optim.Callback = () => undefined;

function draw(
  shape: readonly number[],
  { dtype, transposed }: Setting,
  next: () => number,
): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  // About normal.
  const data = Float64Array.from({ length: count }, () => 2 * (next() + next() + next()) - 3);
  const drawn = tensor(data).to(dtype).to(testDevice);
  return transposed && shape.length === 2 ? drawn.view(shape.toReversed()).t() : drawn.view(shape);
}

/** One of the two optimizers, with weights of its own. */
class Side {
  readonly params: readonly Tensor[];
  readonly opt: optim.Optimizer;
  readonly ema: optim.EMA | undefined;
  readonly #setting: Setting;

  constructor(make: Make, start: readonly Tensor[], setting: Setting, fused: optim.Fused) {
    const { dtype, groups: count, decouple_wd, wd, slices, noDecay, forceTrain } = setting;
    const stateDtype = dtype === 'float64' ? 'float32' : setting.stateDtype;
    this.#setting = setting;
    this.params = start.map((p) => p.clone());
    const size = Math.ceil(this.params.length / count);
    const groups = Array.from({ length: count }, (_, i) =>
      this.params.slice(i * size, (i + 1) * size),
    );
    const opt = make(groups, { lr: 1e-2, decouple_wd, fused, stateDtype });
    this.opt = setting.lookahead ? new optim.Lookahead(opt, { k: 4 }) : opt;
    this.ema = setting.ema ? new optim.EMA(this.opt, { decay: 0.9 }) : undefined;
    this.opt.setHypers({ wd, ...(slices ? { lr: optim.slice(1e-3, 1e-2) } : {}) });
    if (noDecay) this.opt.state.get(this.params[1]!).do_wd = false;
    if (forceTrain) this.opt.state.get(this.params[0]!).force_train = true;
  }

  /** `done`: the share of all steps. */
  step(done: number, grads: readonly (Tensor | null)[], detour: boolean): void {
    const { opt } = this;
    const { freezing, clearing, extras } = this.#setting;
    this.params.forEach((p, i) => (p.grad = grads[i]?.clone() ?? null));
    if (freezing && done === 0.2) opt.freezeTo(1);
    if (clearing && done === 0.5) opt.clearState();
    if (freezing && done === 0.6) opt.unfreeze();
    if (detour) opt.cbs.push(nothing);
    opt.step(extras ? { gradScale: 0.3, zeroGrad: true } : undefined);
    if (detour) opt.cbs.pop();
  }

  /** All that a step may write, by what it is. */
  tensors(): Map<string, Tensor> {
    const named = this.params.flatMap((p, i) => [
      [`weights ${i}`, p] as const,
      ...(p.grad ? [[`gradient ${i}`, p.grad] as const] : []),
      ...Object.entries(this.opt.state.get(p)).flatMap(([key, value]) =>
        value instanceof TensorClass ? [[`${key} ${i}`, value] as const] : [],
      ),
    ]);
    const averages = this.ema?.averages.map((t, i) => [`average ${i}`, t] as const) ?? [];
    return new Map([...named, ...averages]);
  }

  /** Counts and flags. */
  numbers(): string[] {
    return this.params.map((p) => {
      const numbers = Object.entries(this.opt.state.get(p)).filter(
        ([, x]) => typeof x !== 'object',
      );
      return JSON.stringify(numbers.sort(([a], [b]) => a.localeCompare(b)));
    });
  }

  dispose(): void {
    this.ema?.dispose();
    this.opt.dispose();
  }
}

/** How far two lists are apart, relative to the length of the second, or to a tenth: gradients are about 1. */
function relative(got: readonly number[], wanted: readonly number[]): number {
  if (got.length !== wanted.length) return Infinity;
  const length = (list: readonly number[]) => Math.hypot(...list);
  return length(got.map((value, i) => value - (wanted[i] ?? NaN))) / Math.max(length(wanted), 0.1);
}

// Bits of a mantissa, the first one left out, and the exponent of the smallest normal number.
const formats: Partial<Record<DType, readonly [bits: number, least: number]>> = {
  bfloat16: [7, -126],
  float16: [10, -14],
};

/** The distance of the numbers about `x` in a format of half precision. */
function spacing(x: number, dtype: DType): number {
  const [bits, least] = formats[dtype]!;
  return 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), least) - bits);
}

/** What two ways make of the same. */
export interface Comparison {
  /** In words, what is further apart than it may be. */
  readonly apart: readonly string[];
  /** In half precision: of all numbers that the steps wrote, how many were rounded otherwise. */
  readonly roundedOtherwise: number;
  readonly written: number;
}

class Comparing {
  readonly apart: string[] = [];
  roundedOtherwise = 0;
  written = 0;
  readonly #dtype: DType;

  constructor(dtype: DType) {
    this.#dtype = dtype;
  }

  #check(what: string, far: number, tolerance: number): void {
    if (!(far <= tolerance)) this.apart.push(`${what}: ${far}`);
  }

  /** After all steps: the roundings of 50 steps. */
  compare(name: string, got: readonly number[], wanted: readonly number[]): void {
    // Single float32 elements, and averages near 0, drift a little further than weights.
    const [ofList, ofElements] = this.#dtype === 'float32' ? [1e-6, 4e-6] : [1e-12, 1e-12];
    this.#check(name, relative(got, wanted), name.startsWith('weights') ? ofList : ofElements);
    this.#check(`an element of ${name}`, difference(got, wanted), ofElements);
  }

  /**
   * After one step from the same numbers. Both ways compute in float32, so that they seldom store another number of 16 bits,
   * and then its neighbour; what follows from that in the same step is as far off.
   */
  compareHalves(
    name: string,
    dtype: DType,
    got: readonly number[],
    wanted: readonly number[],
  ): void {
    const largest = Math.max(...wanted.map(Math.abs), 0);
    const isHalf = dtype in formats;
    const coarse = this.#dtype in formats ? this.#dtype : 'bfloat16';
    wanted.forEach((x, i) => {
      const far = Math.abs((got[i] ?? NaN) - x);
      this.written += 1;
      if (far <= (isHalf ? 0 : 2e-6 * Math.max(Math.abs(x), largest / 16))) return;
      this.roundedOtherwise += 1;
      const allowed = isHalf ? spacing(x, dtype) + 1e-7 * largest : spacing(largest, coarse);
      this.#check(`${i} of ${name}`, far, allowed);
    });
  }
}

/**
 * Takes 50 steps both ways; or where something is stored in 16 bits, 20, after each of which all is compared, and then made the
 * same: else what was rounded otherwise would differ from then on.
 */
export function compare(make: Make, setting: Setting, seed = 1, plain: Make = make): Comparison {
  const next = randomNumbers(seed);
  const start = shapes.map((shape) => draw(shape, setting, next));
  const kernels = new Side(make, start, setting, 'auto');
  const callbacks = new Side(plain, start, setting, false);
  const found = new Comparing(setting.dtype);
  const isHalf =
    setting.dtype in formats || (setting.stateDtype === 'bfloat16' && setting.dtype === 'float32');
  const steps = isHalf ? 20 : 50;
  for (let step = 0; step < steps; step++) {
    const grads = shapes.map((shape, i) => {
      const grad = draw(shape, setting, next);
      return setting.missing && (step + i) % 4 === 0 ? null : grad;
    });
    const detour = setting.detours && next() < 0.5 && step < steps - 1;
    kernels.step(step / steps, grads, detour);
    callbacks.step(step / steps, grads, false);
    if (!isHalf && step < steps - 1) continue;
    const others = callbacks.tensors();
    for (const [name, got] of kernels.tensors()) {
      const wanted = others.get(name);
      if (wanted?.dtype !== got.dtype) found.apart.push(`${name} of ${wanted?.dtype}`);
      else if (isHalf)
        found.compareHalves(`${name} in step ${step}`, got.dtype, values(got), values(wanted));
      else found.compare(name, values(got), values(wanted));
      if (isHalf && wanted) noGrad(() => got.copy_(wanted));
    }
    if (kernels.tensors().size !== others.size) found.apart.push('what is in the state');
  }
  if (kernels.numbers().join() !== callbacks.numbers().join()) found.apart.push('counts or flags');
  if (!/ in (one pass|\d+ passes) over/.test(kernels.opt.explain()))
    found.apart.push(kernels.opt.explain());
  if (!callbacks.opt.explain().includes('as fused is false'))
    found.apart.push(callbacks.opt.explain());
  kernels.dispose();
  callbacks.dispose();
  return found;
}
