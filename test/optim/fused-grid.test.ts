import { optim } from '../../lib/index';
import {
  axes,
  compare,
  plainSetting,
  randomNumbers,
  type Comparison,
  type Make,
  type Setting,
} from './both-ways';
import { factories } from './factories-fused';
import { own } from './own-callbacks';

// Another number tries other settings, and other weights and gradients.
const seed = Number(process.env.FASTOPT_GRID_SEED ?? 1);

type Values = Readonly<Record<string, unknown>>;

// All pairs of values of two axes, as texts.
function pairsOf(setting: Values): string[] {
  const entries = Object.entries(setting).map(([axis, value]) => `${axis} ${String(value)}`);
  return entries.flatMap((a, i) => entries.slice(i + 1).map((b) => `${a}, ${b}`));
}

function allPairs(): Set<string> {
  const entries = Object.entries<readonly unknown[]>(axes);
  return new Set(
    entries.flatMap(([a, ofA], i) =>
      entries
        .slice(i + 1)
        .flatMap(([b, ofB]) => ofA.flatMap((x) => ofB.flatMap((y) => pairsOf({ [a]: x, [b]: y })))),
    ),
  );
}

/** Settings of which some have each pair of values: of 20 drawn at random, always the one with most pairs that are left. */
function covering(next: () => number): Setting[] {
  const left = allPairs();
  const chosen: Setting[] = [];
  const drawn = () =>
    Object.fromEntries(
      Object.entries(axes).map(([axis, of]) => [axis, of[Math.floor(next() * of.length)]]),
    ) as Setting;
  while (left.size > 0) {
    const candidates = Array.from({ length: 20 }, () => {
      const setting = drawn();
      return { setting, pairs: pairsOf(setting).filter((pair) => left.has(pair)) };
    });
    const [best] = candidates.sort((a, b) => b.pairs.length - a.pairs.length);
    if (best!.pairs.length === 0) continue;
    chosen.push(best!.setting);
    for (const pair of best!.pairs) left.delete(pair);
  }
  return chosen;
}

const optimizers: Record<string, Make> = {
  ...factories,
  ...Object.fromEntries(Object.entries(own).map(([name, { recorded }]) => [name, recorded])),
};

// The kernels round averages of 16 bits before a program reads them, the callbacks after it.
const roundsBefore = ['Adan', 'Lamb', 'StableAdam', 'RAdam with beta', 'Larc'];

// In how many settings of a list two ways are apart, with what is.
function failures(
  settings: readonly Setting[],
  one: (setting: Setting) => Comparison,
): (Setting & { apart: readonly string[] })[] {
  return settings.flatMap((setting) => {
    const { apart } = one(setting);
    return apart.length > 0 ? [{ ...setting, apart: apart.slice(0, 5) }] : [];
  });
}

test.each(Object.entries(optimizers))(
  `%s steps alike either way, whatever pair of circumstances meets (seed ${seed})`,
  (name, make) => {
    const number = seed + 1000 * Object.keys(optimizers).indexOf(name);
    let [otherwise, written] = [0, 0];
    const compared = (drawn: Setting) => {
      const setting = roundsBefore.includes(name)
        ? { ...drawn, stateDtype: 'float32' as const }
        : drawn;
      const found = compare(make, setting, number);
      otherwise += found.roundedOtherwise;
      written += found.written;
      return found;
    };
    expect(failures(covering(randomNumbers(number)), compared)).toEqual([]);
    expect(otherwise / written).toBeLessThan(1e-3); // 3e-4 were seen
  },
);

// ---- faults ----

const { Nadam } = optim;

// Nadam with callbacks after it, or another eps.
const faulty =
  (hypers: { eps?: number }, ...cbs: optim.Callback[]): Make =>
  (params, options) => {
    const opt = Nadam(params, { ...options, ...hypers });
    for (const cb of cbs) opt.cbs.splice(1, 0, cb);
    return opt;
  };

test('a planted fault is seen', () => {
  const setting = plainSetting('float64');
  expect(compare(factories.Nadam!, setting).apart).toEqual([]);
  const { apart } = compare(factories.Nadam!, setting, 1, faulty({ eps: 1.01e-8 }));
  expect(apart.length).toBeGreaterThan(0);
});

// What a way would do that rounds weights after decay as well, or has no float32 state.
const faults: [string, optim.Callback][] = [
  ['a second rounding', (p) => void p.copy_(p.to('bfloat16'))],
];
test.each(faults)('%s of half precision is seen', (_, fault) => {
  const { apart, roundedOtherwise, written } = compare(
    factories.Nadam!,
    plainSetting('bfloat16'),
    1,
    faulty({}, fault),
  );
  expect(apart.length > 0 || roundedOtherwise / written > 1e-3).toBe(true);
});
