import { manualSeed, optim, rand, randn, tensor, type DType } from '../../lib/index';
import { relative } from './both-ways';
import { factories } from './factories-fused';
import { values } from './support';

// Conventions: a fused path is held to the callbacks over the whole grid of what an optimizer can meet.
const axes = {
  groups: [1, 3],
  wd: [0, 0.05],
  decouple_wd: [true, false],
  noDecay: [false, true],
  freezing: [false, true],
  forceTrain: [false, true],
  missing: [false, true],
  slices: [false, true],
  clearing: [false, true],
} as const;
type Setting = { readonly [K in keyof typeof axes]: (typeof axes)[K][number] };

// The product of all axes, 512 settings.
const settings = Object.entries(axes).reduce<Record<string, unknown>[]>(
  (list, [name, axis]) => list.flatMap((each) => axis.map((value) => ({ ...each, [name]: value }))),
  [{}],
) as unknown as readonly Setting[];

const shapes = [[3, 5], [9], [1], [2, 33]];
const steps = 50;

type Way = 'kernels' | 'callbacks' | 'either';
const nothing: optim.Callback = () => undefined;

/** Runs the events of a setting; `'either'` takes a way at random for each step. */
function weightsAfter(way: Way, name: string, dtype: DType, setting: Setting): number[] {
  manualSeed(5);
  const params = shapes.map((shape) => randn(shape, { dtype: 'float64' }).to(dtype));
  const draws = randn([steps, 100], { dtype: 'float64' }).toArray() as number[][];
  const chances = values(rand([steps]));
  const size = Math.ceil(params.length / setting.groups);
  const groups = Array.from({ length: setting.groups }, (_, i) =>
    params.slice(i * size, (i + 1) * size),
  ).filter((group) => group.length > 0);
  const { decouple_wd } = setting;
  const opt = factories[name]!(groups, {
    lr: 1e-2,
    decouple_wd,
    fused: way !== 'callbacks' && 'auto',
  });
  opt.setHypers({ wd: setting.wd, ...(setting.slices ? { lr: optim.slice(1e-3, 1e-2) } : {}) });
  if (setting.noDecay) opt.state.get(params[1]!).do_wd = false;
  if (setting.forceTrain) opt.state.get(params[0]!).force_train = true;
  for (let step = 0; step < steps; step++) {
    params.forEach((p, i) => {
      const none = setting.missing && (step + i) % 4 === 0;
      const data = new Float64Array(draws[step]!.slice(i, i + p.numel));
      p.grad = none ? null : tensor(data).reshape(p.shape).to(dtype);
    });
    if (setting.freezing && step === 10) opt.freezeTo(1);
    if (setting.freezing && step === 30) opt.unfreeze();
    if (setting.clearing && step === 25) opt.clearState();
    const detour = way === 'either' && chances[step]! < 0.5;
    if (detour) opt.cbs.push(nothing);
    opt.step();
    if (detour) opt.cbs.pop();
  }
  const taken = opt.explain().includes('in one pass') ? 'kernels' : 'callbacks';
  if (way !== 'either') expect(taken).toBe(way);
  opt.dispose();
  return params.flatMap(values);
}

/** Returns the settings in which two ways are further apart than the tolerance. */
function apart(way: Way, name: string, dtype: DType, chosen: readonly Setting[]) {
  const tolerance = dtype === 'float32' ? 1e-6 : 1e-12;
  return chosen.filter(
    (setting) =>
      !(
        relative(
          weightsAfter(way, name, dtype, setting),
          weightsAfter('callbacks', name, dtype, setting),
        ) <= tolerance
      ),
  );
}

const names = Object.keys(factories).filter((name) => name !== 'AdamW'); // it is Adam, and has no decouple_wd
const each = (every: number, first: number) => settings.filter((_, i) => i % every === first);

// Every optimizer meets another share of the product, one that is coprime with its axes; Nadam meets all of it.
test.each(names)('%s steps alike either way over the grid', (name) => {
  const first = names.indexOf(name);
  expect(apart('kernels', name, 'float64', each(47, first))).toEqual([]);
  expect(apart('kernels', name, 'float32', each(47, first + 23))).toEqual([]);
});

test.each(names)('%s may change its way at any step', (name) => {
  expect(apart('either', name, 'float64', each(101, names.indexOf(name)))).toEqual([]);
});

test('Nadam steps alike either way over the whole grid', () => {
  expect(settings).toHaveLength(512);
  expect(apart('kernels', 'Nadam', 'float64', settings)).toEqual([]);
}, 120_000);
