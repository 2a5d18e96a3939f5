import { manualSeed, models, noGrad, randn } from '../../lib/index';
import { numbers, thrown } from '../support/tensors';

test.each([
  ['xresnet18', 68, 11_200_874],
  ['xresnet34', 116, 21_309_034],
  ['xresnet50', 167, 23_547_754],
  ['xresnet101', 320, 42_539_882],
  ['xresnet152', 473, 58_183_530],
] as const)(
  '%s has %i parameter tensors and %i parameters, as in fastai',
  (arch, tensors, count) => {
    using model = models[arch]({ nOut: 10 });
    const parameters = model.parameters();
    expect([
      parameters.length,
      parameters.reduce((sum, parameter) => sum + parameter.numel, 0),
    ]).toEqual([tensors, count]);
  },
);

test("xresnet34 has fastai's names, shapes and order", () => {
  using model = models.xresnet34({ nOut: 10 });
  const shapes = new Map(
    model.namedParameters().map(([name, parameter]) => [name, parameter.shape]),
  );
  expect([...shapes.keys()].slice(0, 4)).toEqual([
    '0.0.weight',
    '0.1.weight',
    '0.1.bias',
    '1.0.weight',
  ]);
  expect(shapes.get('0.0.weight')).toEqual([32, 3, 3, 3]);
  expect(shapes.get('5.0.convpath.0.0.weight')).toEqual([128, 64, 3, 3]);
  expect(shapes.get('5.0.idpath.1.0.weight')).toEqual([128, 64, 1, 1]);
  expect([...shapes.keys()].slice(-3)).toEqual(['7.2.convpath.1.1.bias', '11.weight', '11.bias']);
  expect(shapes.get('11.weight')).toEqual([10, 512]);
  expect(model.children().map((child) => child.kind)).toEqual([
    ...Array<string>(3).fill('ConvLayer'),
    'MaxPool2d',
    ...Array<string>(4).fill('Sequential'),
    'AdaptiveAvgPool2d',
    'Flatten',
    'Dropout',
    'Linear',
  ]);
});

test('starts as fastai starts it: biases 0, the last norm of each path 0, weights of std sqrt(2 / fan_in)', () => {
  manualSeed(1);
  using model = models.xresnet18({ nOut: 10 });
  for (const [name, parameter] of model.namedParameters()) {
    if (name.endsWith('.bias')) expect(parameter.abs().sum().item()).toBe(0);
    if (/convpath\.1\.1\.weight/.test(name)) expect(parameter.abs().sum().item()).toBe(0);
    const [, ...fan] = parameter.shape;
    if (parameter.ndim > 1 && parameter.numel > 20_000) {
      const expected = Math.sqrt(2 / fan.reduce((product, size) => product * size, 1));
      expect(parameter.std().item() / expected).toBeCloseTo(1, 1);
    }
  }
});

test('the same seed gives the same weights, another seed others', () => {
  const weights = (seed: number): number[] => {
    manualSeed(seed);
    using model = models.xresnet18({ nOut: 2, cIn: 1 });
    return numbers(model.parameters()[0]!);
  };
  expect(weights(3)).toEqual(weights(3));
  expect(weights(3)).not.toEqual(weights(4));
});

test('gives scores for images of any size, and gradients for every parameter', () => {
  using model = models.xresnet18({ nOut: 7, cIn: 1 });
  const scores = model.forward(randn([2, 1, 33, 47]));
  expect(scores.shape).toEqual([2, 7]);
  scores.sum().backward();
  expect(model.parameters().every((parameter) => parameter.hasGrad)).toBe(true);
});

test('statistics move in training only', () => {
  using model = models.xresnet18({ nOut: 2 });
  const mean = model.buffers()[0]!;
  model.eval();
  noGrad(() => model.forward(randn([2, 3, 32, 32])));
  expect(mean.abs().sum().item()).toBe(0);
  model.train();
  noGrad(() => model.forward(randn([2, 3, 32, 32])));
  expect(mean.abs().sum().item()).toBeGreaterThan(0);
});

test('clone is independent', () => {
  using model = models.xresnet18({ nOut: 2 }).eval();
  using copy = model.clone();
  const x = randn([1, 3, 32, 32]);
  const before = noGrad(() => numbers(copy.forward(x)));
  expect(before).toEqual(noGrad(() => numbers(model.forward(x))));
  noGrad(() => model.parameters().forEach((parameter) => parameter.add_(1)));
  expect(noGrad(() => numbers(copy.forward(x)))).toEqual(before);
});

test.each<[object, string, RegExp]>([
  [{ n_out: 3 }, 'ERR_TORCH_UNKNOWN_OPTION', /did you mean 'nOut'/],
  [{ nOut: 0 }, 'ERR_TORCH_ARGUMENT', /nOut/],
  [{ ks: 4 }, 'ERR_TORCH_ARGUMENT', /odd/],
  [{ stemSizes: [1] }, 'ERR_TORCH_ARGUMENT', /stemSizes/],
  [{ p: 2 }, 'ERR_TORCH_ARGUMENT', /p/],
])('refuses %p', (options, code, message) => {
  const error = thrown(() => models.xresnet18(options));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
});
