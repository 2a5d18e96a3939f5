import {
  arange,
  DataLoader,
  eye,
  full,
  Generator,
  getDefaultDevice,
  linspace,
  manualSeed,
  models,
  nn,
  ones,
  ops,
  optim,
  rand,
  randint,
  randn,
  randperm,
  setDefaultDevice,
  tensor,
  zeros,
  type Tensor,
} from '../../lib/index';
import { onGpu, testDevice, unavailable, withoutGpu } from '../support/cuda';
import { numbers, thrown } from '../support/tensors';

beforeEach(() => setDefaultDevice());
afterEach(() => setDefaultDevice(testDevice));

test('at first it is the CPU', () => {
  expect([getDefaultDevice(), ones(1).device]).toEqual(['cpu', 'cpu']);
});

// Nothing is computed on 'meta', which is there on every machine.
test.each<[string, () => unknown]>([
  ['tensor of numbers', () => tensor([[1, 2]])],
  ['tensor of a TypedArray', () => tensor(new Uint8Array(3))],
  ['tensor of a tensor', () => tensor(ones(2, { device: 'cpu' }))],
  ['zeros', () => zeros(2)],
  ['ones with a dtype', () => ones([1, 2], { dtype: 'int64', requiresGrad: false })],
  ['full', () => full(2, 7)],
  ['arange', () => arange(3)],
  ['linspace', () => linspace(0, 1, 3)],
  ['eye', () => eye(2)],
  ['rand', () => rand(2)],
  ['randn', () => randn(2)],
  ['randint', () => randint(0, 5, 2)],
  ['an operator by its raw name', () => ops.aten.hann_window!.default!(4)],
  ['a parameter of its own', () => new nn.Parameter(ones(2))],
])('%s goes there', (_, make) => {
  setDefaultDevice('meta');
  expect(getDefaultDevice()).toBe('meta');
  expect((make() as Tensor).device).toBe('meta');
});

test('native layers have their parameters and buffers there', () => {
  setDefaultDevice('meta');
  using model = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2));
  using net = models.xresnet18({ nOut: 2 });
  for (const module of [model, net])
    expect(
      new Set([...module.parameters(), ...module.buffers()].map(({ device }) => device)),
    ).toEqual(new Set(['meta']));
  expect(model.parameters().every((p) => p.requiresGrad && p.isLeaf)).toBe(true);
  expect(model.children()[0]!.forward(ones([3, 2])).shape).toEqual([3, 2]);
});

test('what names a device, follows a tensor, or draws from a generator goes where that says', () => {
  const here = ones(2);
  const generator = new Generator({ seed: 1 });
  const wanted = numbers(rand(3, { generator }));
  setDefaultDevice('meta');
  const made = [
    zeros(2, { device: 'cpu' }),
    tensor([1], { device: 'cpu' }),
    here.zerosLike(),
    here.newZeros([2]),
    here.add(1),
    rand(2, { generator }),
  ];
  expect(made.map(({ device }) => device)).toEqual(made.map(() => 'cpu'));
  expect(numbers(rand(3, { generator: generator.manualSeed(1) }))).toEqual(wanted);
});

test('a loader and an optimizer work where their tensors are', () => {
  const [x, y, p] = [arange(5), arange(5), tensor([1, 2], { dtype: 'float64' })];
  p.grad = tensor([1, 1], { dtype: 'float64' });
  const own = optim.elementwise({ name: 'own', hypers: ['lr'] }, ({ p: weight, g, lr }) => ({
    p: optim.where(weight.lt(1.5), weight.sub(g.mul(lr)), 0).maximum(-1),
  }));
  setDefaultDevice('meta');
  for (const options of [{ bs: 2 }, { bs: 2, shuffle: true }, { bs: 2, shuffle: true, seed: 3 }]) {
    const batches = [...new DataLoader([x, y], options)];
    expect(batches.flatMap(([xb]) => numbers(xb)).sort()).toEqual([0, 1, 2, 3, 4]);
  }
  const opt = new optim.Optimizer(p, [own], { lr: 0.5 }, { fused: false });
  opt.step();
  expect(numbers(p)).toEqual([0.5, 0]);
  opt.dispose();
});

test('the same seed gives the same weights on every device', () => {
  const weights = (): number[] => {
    manualSeed(3);
    using layer = new nn.Conv2d(2, 3, 3);
    expect(layer.weight.device).toBe(getDefaultDevice());
    return numbers(layer.weight);
  };
  const wanted = weights();
  setDefaultDevice(testDevice);
  expect(weights()).toEqual(wanted);
});

test('what is no device is refused, and the one before stays', () => {
  setDefaultDevice('meta');
  // @ts-expect-error there is no such device.
  expect(thrown(() => setDefaultDevice('tpu'))).toMatchObject({
    code: 'ERR_TORCH_ARGUMENT',
    message: expect.stringContaining("expected a device such as 'cpu' or 'cuda:0', got 'tpu'"),
  });
  expect(thrown(() => setDefaultDevice(0 as never)).message).toContain('setDefaultDevice');
  expect(getDefaultDevice()).toBe('meta');
  setDefaultDevice('cpu');
  expect(getDefaultDevice()).toBe('cpu');
});

test('the CPU set again is as before: a copy stays where its tensor is', () => {
  setDefaultDevice('cpu');
  expect(tensor(ones(2, { device: 'meta' })).device).toBe('meta');
});

withoutGpu('a GPU that is not there is refused', () => {
  expect(thrown(() => setDefaultDevice('cuda'))).toMatchObject(unavailable);
  expect(getDefaultDevice()).toBe('cpu');
});

onGpu('cuda is the current GPU, and all computes there', () => {
  setDefaultDevice('cuda');
  expect([
    getDefaultDevice(),
    ...[tensor([1]), randn(1), randperm(3)].map(({ device }) => device),
  ]).toEqual(Array(4).fill('cuda:0'));
  expect(thrown(() => setDefaultDevice('cuda:99')).message).toContain("got 'cuda:99'");
  using layer = new nn.Linear(2, 1);
  layer
    .forward(ones([3, 2]))
    .sum()
    .backward();
  expect(layer.weight.grad?.device).toBe('cuda:0');
});
