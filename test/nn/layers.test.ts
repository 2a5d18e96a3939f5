import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { manualSeed, nn, ones, randint, randn, type Tensor } from '../../lib/index';
import { expectClose, thrown } from '../support/tensors';

interface Case {
  name: string;
  args: unknown[];
  options: object;
  shape: number[];
  integer: boolean;
  state: Record<string, (number | boolean)[]>;
  output: number[];
  outputShape: number[];
}
// What PyTorch makes after the same seed; layers.py beside it says how.
const { cases } = JSON.parse(readFileSync(join(__dirname, '../golden/layers.json'), 'utf8')) as {
  cases: Case[];
};
const classes = nn as unknown as Record<string, new (...args: unknown[]) => nn.Module>;

test.each(cases.map((each, i) => ({ ...each, i })))(
  '$name starts and computes as in PyTorch (case $i)',
  ({ name, args, options, shape, integer, state, output, outputShape }) => {
    manualSeed(5);
    using layer = new classes[name]!(
      ...args,
      ...(Object.keys(options).length > 0 ? [options] : []),
    );
    const x: Tensor = integer ? randint(0, 4, shape) : randn(shape);
    const y = layer.forward(x);
    expect([layer.kind, y.shape]).toEqual([name, outputShape]);
    expectClose(y, output, 1e-5);
    const own = layer.stateDict();
    expect(Object.keys(own)).toEqual(Object.keys(state));
    for (const [key, values] of Object.entries(state))
      expectClose(own[key]!, values.map(Number), 1e-6);
  },
);

test('layers expose their parameters by name', () => {
  using conv = new nn.Conv2d(3, 32, 3, { stride: 2, padding: 1, bias: false });
  expect([conv.weight.shape, conv.bias]).toEqual([[32, 3, 3, 3], undefined]);
  using norm = new nn.BatchNorm2d(2);
  expect([
    norm.weight?.toArray(),
    norm.bias?.toArray(),
    norm.runningMean?.toArray(),
    norm.runningVar?.toArray(),
  ]).toEqual([
    [1, 1],
    [0, 0],
    [0, 0],
    [1, 1],
  ]);
  using plain = new nn.BatchNorm2d(2, { affine: false });
  expect([plain.bias, thrown(() => plain.weight).code]).toEqual([undefined, 'ERR_TORCH_ARGUMENT']);
});

test.each<[string, () => unknown, RegExp]>([
  [
    'a negative size',
    () => new nn.Linear(-1, 2),
    /Linear: inFeatures: expected an integer from 1 to \d+, got -1/,
  ],
  ['a fraction', () => new nn.Conv2d(1, 1, 2.5), /kernelSize/],
  ['groups that do not divide', () => new nn.Conv2d(3, 4, 3, { groups: 2 }), /groups/],
  ['a negative padding', () => new nn.Conv2d(1, 1, 3, { padding: -1 }), /padding/],
  [
    'an unknown option',
    () => new nn.Conv2d(1, 1, 3, { dilate: 2 } as never),
    /unknown option 'dilate'/,
  ],
  ['a string', () => new nn.Dropout('half' as never), /Dropout: p/],
  ['a probability above 1', () => new nn.Dropout(1.5), /Dropout: p/],
  [
    'an unknown mode',
    () => new nn.Conv2d(1, 1, 3, { paddingMode: 'mirror' as never }),
    /paddingMode/,
  ],
])('refuses %s', (_, make, message) => {
  const error = thrown(make);
  expect(error.code).toBe('ERR_TORCH_ARGUMENT');
  expect(error.message).toMatch(message);
});

test('a wrong input is a TorchError, and the layer stays usable', () => {
  using layer = new nn.Linear(2, 1);
  expect(thrown(() => layer.forward(ones([1, 3]))).code).toBe('ERR_TORCH');
  expect(thrown(() => layer.forward([1, 2] as never)).code).toBe('ERR_TORCH_ARGUMENT');
  expect(layer.forward(ones([1, 2])).shape).toEqual([1, 1]);
});
