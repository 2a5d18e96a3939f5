import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Adam,
  AdamW,
  Adan,
  Lamb,
  Larc,
  Lion,
  Lookahead,
  Nadam,
  QHAdam,
  RAdam,
  Ranger,
  RMSProp,
  SGD,
  slice,
  StableAdam,
  TorchNadam,
  type AdamOptions,
  type Fused,
  type HyperValue,
  type LookaheadOptions,
  type OptFunc,
  type Optimizer,
  type Params,
  type ParamState,
} from '../../lib/optim';
import { tensor } from '../../lib/tensor/create';
import { Tensor } from '../../lib/tensor/tensor';
import { difference, values } from './support';

// The script that made the goldens, test/golden/optim.py, runs the same cases on fastai, PyTorch and timm.
// GOLDEN_TABLE=1 prints the largest difference of each optimizer.
type DType = 'float32' | 'float64';
type Options = Record<string, number | boolean | number[] | { slice: [number | null, number] }>;
interface Case {
  opt: keyof typeof factories;
  options: Options;
  oracle?: string;
  grouped?: boolean;
  zero?: boolean;
  no_decay?: number[];
  force_train?: number[];
  freeze_to?: number;
  unfreeze_at?: number;
  clear_at?: number;
  missing?: boolean;
  scheduled?: boolean;
  expected: Record<DType, Expected>;
}
interface Expected {
  params: number[][];
  early?: number[][];
  state?: Record<string, number[] | number | boolean>[];
  hypers?: Record<string, number>[];
}
interface Golden {
  shapes: number[][][];
  steps: number;
  early: number;
  cases: Case[];
}

const factories = {
  SGD,
  RMSProp,
  Adam,
  AdamW,
  Nadam,
  TorchNadam,
  RAdam,
  QHAdam,
  Larc,
  Lamb,
  Lion,
  Adan,
  StableAdam,
  Lookahead: lookaheadAdam,
  Ranger,
};

function lookaheadAdam(
  params: Params,
  { k = 6, alpha = 0.5, ...options }: AdamOptions & LookaheadOptions,
): Optimizer {
  return new Lookahead(Adam(params, options), { k, alpha });
}

const golden = JSON.parse(readFileSync(join(__dirname, '../golden/optim.json'), 'utf8')) as Golden;

/** A number from -2 to 2, exact in float32; that of step 0 is where a parameter starts. */
function random(step: number, k: number, i: number): number {
  let x = 1 + 10007 * step + 101 * k + i;
  for (let round = 0; round < 3; round++) x = (x * (48271 + (x % 1009))) % 2147483647;
  return ((x % 4096) - 2048) / 1024;
}

function filled(shape: readonly number[], dtype: DType, value: (i: number) => number): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float64Array.from({ length: count }, (_, i) => value(i)),
    { dtype },
  ).view(shape);
}

const toHyper = (value: Options[string]): HyperValue | boolean =>
  typeof value === 'object' && !Array.isArray(value)
    ? slice(value.slice[0] ?? undefined, value.slice[1])
    : value;

function setUp(example: Case, dtype: DType, fused: Fused): { opt: Optimizer; params: Tensor[] } {
  const params = golden.shapes
    .flat()
    .map((shape, k) =>
      filled(shape, dtype, (i) => (example.zero ? 0 : random(0, k, i))).requiresGrad_(),
    );
  let next = 0;
  const groups = golden.shapes.map((shapes) => shapes.map(() => params[next++]!));
  const hypers = Object.entries(example.options).map(([name, value]) => [name, toHyper(value)]);
  const options = Object.fromEntries([...hypers, ['fused', fused]]) as { lr: number };
  const factory: OptFunc = factories[example.opt];
  const opt = factory(example.grouped ? groups : params, options);
  for (const k of example.no_decay ?? []) opt.state.get(params[k]!).do_wd = false;
  for (const k of example.force_train ?? []) opt.state.get(params[k]!).force_train = true;
  if (example.freeze_to !== undefined) opt.freezeTo(example.freeze_to);
  return { opt, params };
}

function run(example: Case, dtype: DType, fused: Fused) {
  const { opt, params } = setUp(example, dtype, fused);
  let early: number[][] = [];
  for (let step = 1; step <= golden.steps; step++) {
    if (step === example.unfreeze_at) opt.unfreeze();
    if (step === example.clear_at) opt.clearState();
    if (example.scheduled) {
      opt.setHyper('lr', 0.01 * step);
      if (opt.hasHyper('mom')) opt.setHyper('mom', 0.95 - step / 100);
    }
    params.forEach((p, k) => {
      const absent = example.missing && (step + k) % 3 === 0;
      p.grad = absent || !p.requiresGrad ? null : filled(p.shape, dtype, (i) => random(step, k, i));
    });
    opt.step();
    if (step === golden.early) early = params.map(values);
  }
  return { opt, params, early };
}

const flat = (value: unknown): number[] =>
  value instanceof Tensor ? values(value) : [value].flat().map(Number);

function stateDifference(state: ParamState, expected: object): number {
  expect(Object.keys(state).sort()).toEqual(Object.keys(expected).sort());
  return Math.max(
    0,
    ...Object.entries(expected).map(([key, value]) => difference(flat(state[key]), flat(value))),
  );
}

const worst = new Map<string, number[]>();

/** Keeps the largest difference of an optimizer in one column of the table. */
function note({ opt, oracle = 'fastai' }: Case, column: number, error: number): void {
  const row = worst.get(`${opt} / ${oracle}`) ?? columns.map(() => 0);
  worst.set(
    `${opt} / ${oracle}`,
    row.map((old, i) => (i === column ? Math.max(old, error) : old)),
  );
}

afterAll(() => {
  if (!process.env['GOLDEN_TABLE']) return;
  const head = [
    ['optimizer / oracle', ...columns.map(([dtype, fused]) => `${dtype}, fused ${fused}`)],
    ['---', ...columns.map(() => '---')],
  ];
  const rows = Array.from(worst, ([name, row]) => [name, ...row.map((e) => e.toExponential(1))]);
  process.stdout.write([...head, ...rows].map((row) => `| ${row.join(' | ')} |\n`).join(''));
});

const named = golden.cases.map((example): [string, Case] => {
  const { expected: _, opt, oracle = 'fastai', ...rest } = example;
  return [`${opt} is that of ${oracle}: ${JSON.stringify(rest)}`, example];
});

/** Runs a case, checks what is no matter of rounding, and returns the largest difference. */
function compare(example: Case, dtype: DType, fused: Fused): number {
  const { opt, params, early } = run(example, dtype, fused);
  const expected = example.expected[dtype];
  const errors = [
    ...params.map((p, k) => difference(values(p), expected.params[k]!)),
    ...(expected.early?.map((each, k) => difference(early[k]!, each)) ?? []),
    ...(expected.state?.map((each, k) => stateDifference(opt.state.get(params[k]!), each)) ?? []),
  ];
  expected.hypers?.forEach((hyper, i) => {
    for (const [name, value] of Object.entries(opt.hypers[i]!))
      expect(value).toBeCloseTo(hyper[name]!, 12);
  });
  opt.dispose();
  return Math.max(...errors);
}

const columns: readonly (readonly [DType, Fused, tolerance: number])[] = [
  ['float32', false, 1e-6],
  ['float32', 'auto', 1e-6],
  ['float64', false, 1e-12],
  ['float64', 'auto', 1e-12],
];

describe.each(columns)('in %s, fused %p', (dtype, fused, tolerance) => {
  const column = columns.findIndex(([d, f]) => d === dtype && f === fused);
  test.each(named)('%s', (_, example) => {
    const error = compare(example, dtype, fused);
    note(example, column, error);
    expect(error).toBeLessThanOrEqual(tolerance);
  });
});
