import * as torch from '../../lib/index';
import { manualSeed, models, nn, randn, tensor, type Device, type Tensor } from '../../lib/index';
import { onCpuOnly, testDevice } from '../support/cuda';
import { expectClose, numbers } from '../support/tensors';

// What this package does itself, on the device that FASTOPT_TEST_DEVICE names beside the CPU.
const elsewhere = testDevice === 'cpu' ? describe.skip : describe;

// Both devices are named.
onCpuOnly();

const { Adam, AdamW, Adan, Lamb, Larc, Lion, Lookahead, Nadam, QHAdam, RAdam, Ranger, RMSProp } =
  torch;
const { SGD, StableAdam, TorchNadam } = torch;
const factories = {
  ...{ Adam, AdamW, Adan, Lamb, Larc, Lion, Nadam, QHAdam, RAdam, Ranger, RMSProp },
  ...{ SGD, StableAdam, TorchNadam },
  Lookahead: (params: torch.Tensor[], hypers: { lr: number }) =>
    new Lookahead(Adam(params, hypers)),
};

elsewhere('on another device', () => {
  test.each(Object.keys(factories))('%s steps as on the CPU', (name) => {
    const make = factories[name as 'Adam'];
    const run = (device: Device): Tensor[] => {
      manualSeed(1);
      const there = (shape: number[]) => randn(shape, { dtype: 'float64' }).to(device);
      const params = [there([5, 3]), there([7])].map((p) => p.requiresGrad_());
      const opt = make(params, { lr: 0.01 });
      for (let step = 0; step < 8; step++) {
        for (const p of params) p.grad = there(p.shape);
        opt.step();
      }
      opt.dispose();
      return params;
    };
    const [wanted, found] = [run('cpu'), run(testDevice)];
    found.forEach((p, i) => {
      expect(p.device.startsWith(testDevice)).toBe(true);
      expectClose(p, numbers(wanted[i]!), 1e-9);
    });
  });

  test('a native model computes what it computes on the CPU, forward and backward', () => {
    manualSeed(2);
    const here = models.xresnet18({ nOut: 3 }).to('float64');
    const there = here.clone().to(testDevice);
    const x = randn([4, 3, 32, 32], { dtype: 'float64' });
    const y = tensor([0, 2, 1, 1], { dtype: 'int64' });
    const outputs = [
      [here, 'cpu'],
      [there, testDevice],
    ] as const;
    const [wanted, found] = outputs.map(([model, device]) => {
      const out = model.forward(x.to(device));
      nn.crossEntropy(out, y.to(device)).backward();
      return out;
    });
    expectClose(found!, numbers(wanted!), 1e-8);
    here.namedParameters().forEach(([, p], i) => {
      const [, other] = there.namedParameters()[i]!;
      expect(other.grad?.device).toBe(other.device);
      expectClose(other.grad!, numbers(p.grad!), 1e-7);
    });
    // Running statistics as well.
    const states = [here, there].map((model) => model.stateDict());
    for (const [key, value] of Object.entries(states[0]!))
      expectClose(states[1]![key]!, numbers(value), 1e-8);
  });

  test('a model that goes over and back takes its gradients along, and its parameters stay the same objects', () => {
    const model = new nn.Linear(3, 2);
    const { weight } = model;
    model
      .forward(randn([4, 3]))
      .sum()
      .backward();
    const grad = numbers(weight.grad!);
    model.to(testDevice);
    expect(model.weight).toBe(weight);
    expect([weight.device, weight.grad?.device]).toEqual([weight.device, weight.device]);
    expect(weight.device.startsWith(testDevice)).toBe(true);
    model.to('cpu');
    expect(numbers(weight.grad!)).toEqual(grad);
  });
});
