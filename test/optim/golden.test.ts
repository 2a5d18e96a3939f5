import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Adam,
  Nadam,
  SGD,
  slice,
  type HyperValue,
  type OptFunc,
  type ParamState,
} from '../../lib/optim';
import { tensor } from '../../lib/tensor/create';
import { Tensor } from '../../lib/tensor/tensor';
import { expectClose } from './support';

// The script that made the goldens, test/golden/optim.py, runs the same cases on fastai.
type Spread = { slice: [number | null, number] };
interface Case {
  opt: 'SGD' | 'Adam' | 'Nadam';
  options: Record<string, number | boolean | number[] | Spread>;
  grouped?: boolean;
  no_decay?: number[];
  force_train?: number[];
  freeze_to?: number;
  unfreeze_at?: number;
  clear_at?: number;
  missing?: boolean;
  scheduled?: boolean;
  expected: Record<'float32' | 'float64', Expected>;
}
interface Expected {
  params: number[][];
  state: Record<string, number[] | number | boolean>[];
  hypers: Record<string, number>[];
}
interface Golden {
  shapes: number[][][];
  steps: number;
  cases: Case[];
}

const golden = JSON.parse(readFileSync(join(__dirname, '../golden/optim.json'), 'utf8')) as Golden;
const factories: Record<Case['opt'], (...args: Parameters<OptFunc>) => ReturnType<OptFunc>> = {
  SGD,
  Adam,
  Nadam,
};

const start = (k: number, i: number): number => (((5 * i + 3 * k) % 7) - 3) / 4;
const gradient = (step: number, k: number, i: number): number =>
  ((((7 * step + 5 * k + 3 * i) * (step + i + 1)) % 31) - 15) / 16;

function filled(
  shape: number[],
  dtype: 'float32' | 'float64',
  value: (i: number) => number,
): Tensor {
  const data = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => value(i));
  return tensor(data, { dtype }).view(shape);
}

const toHyper = (value: Case['options'][string]): HyperValue | boolean =>
  typeof value === 'object' && !Array.isArray(value)
    ? slice(value.slice[0] ?? undefined, value.slice[1])
    : value;

function run(example: Case, dtype: 'float32' | 'float64') {
  const params = golden.shapes
    .flat()
    .map((shape, k) => filled(shape, dtype, (i) => start(k, i)).requiresGrad_());
  let next = 0;
  const groups = golden.shapes.map((shapes) => shapes.map(() => params[next++]!));
  const options = Object.fromEntries(
    Object.entries(example.options).map(([name, value]) => [name, toHyper(value)]),
  );
  const opt = factories[example.opt](example.grouped ? groups : params, options as { lr: number });
  for (const k of example.no_decay ?? []) opt.state.get(params[k]!).do_wd = false;
  for (const k of example.force_train ?? []) opt.state.get(params[k]!).force_train = true;
  if (example.freeze_to !== undefined) opt.freezeTo(example.freeze_to);
  for (let step = 1; step <= golden.steps; step++) {
    if (step === example.unfreeze_at) opt.unfreeze();
    if (step === example.clear_at) opt.clearState();
    if (example.scheduled) opt.setHypers({ lr: 0.01 * step, mom: 0.95 - step / 100 });
    params.forEach((p, k) => {
      const absent = example.missing && (step + k) % 3 === 0;
      p.grad =
        absent || !p.requiresGrad ? null : filled(p.shape, dtype, (i) => gradient(step, k, i));
    });
    opt.step();
  }
  return { opt, params };
}

function expectState(
  state: ParamState,
  expected: Expected['state'][number],
  tolerance: number,
): void {
  expect(Object.keys(state).sort()).toEqual(Object.keys(expected).sort());
  for (const [key, value] of Object.entries(expected)) {
    const got = state[key];
    if (got instanceof Tensor) expectClose(got, value as number[], tolerance);
    else expect(got).toBe(value);
  }
}

const names = golden.cases.map((example): [string, Case] => {
  const { expected: _, opt, ...rest } = example;
  return [`${opt} ${JSON.stringify(rest)}`, example];
});

describe.each([
  ['float32', 1e-6],
  ['float64', 1e-12],
] as const)('fastai in %s', (dtype, tolerance) => {
  test.each(names)('%s gives the same weights, state and hypers', (_, example) => {
    const { opt, params } = run(example, dtype);
    const expected = example.expected[dtype];
    params.forEach((p, k) => {
      expectClose(p, expected.params[k]!, tolerance);
      expectState(opt.state.get(p), expected.state[k]!, tolerance);
    });
    opt.hypers.forEach((hyper, i) => {
      for (const [name, value] of Object.entries(hyper))
        expectClose(value, expected.hypers[i]![name]!, 1e-15);
    });
    opt.dispose();
  });
});
