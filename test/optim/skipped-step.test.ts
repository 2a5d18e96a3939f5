import {
  EMA,
  GradScaler,
  Lookahead,
  Nadam,
  OptimWrapper,
  SGD,
  TorchNadam,
  memory,
  randn,
  tensor,
  torchOptim,
  type DType,
  type Optimizer,
  type Tensor,
} from '../../lib/index';
import { native } from '../../lib/internal/binding';
import { Tensor as TensorClass } from '../../lib/tensor/tensor';
import { testDevice } from '../support/cuda';
import { randomNumbers, type Make } from './both-ways';
import { factories } from './factories-fused';
import { own } from './own-callbacks';
import { expectClose, values } from './support';

const shapes = [[3, 4], [7], [1], [2, 2]];
const leaves = (dtype: DType) => shapes.map((shape) => randn(shape, { dtype }));
const groupsOf = ([a, b, ...others]: Tensor[]) => [[a!, b!], others];
const options = { initScale: 8, growthInterval: 3 };

/** The step as it is where the program waits. */
function waits(scaler: GradScaler, opt: Optimizer): void {
  scaler.unscale_(opt);
  if (!scaler.foundInf(opt)) opt.step();
}

/** An optimizer whose steps the device skips, and one that waits. */
class Both {
  readonly opts: readonly [Optimizer, Optimizer];
  readonly scalers = [new GradScaler(options), new GradScaler(options)] as const;
  readonly #dtype: DType;

  constructor(make: Make, dtype: DType = 'float32') {
    this.#dtype = dtype;
    const params = leaves(dtype);
    const others = params.map((p) => p.clone());
    const [a, b] = [params, others].map((each) => make(groupsOf(each), { lr: [0.02, 0.01] }));
    this.opts = [a!, b!];
    for (const scaler of this.scalers) scaler.scale(tensor(1));
  }

  /** Gives both the same gradients, multiplied by the scale; `missing` has none. */
  grade(largest: number, missing = -1): void {
    const [list, twins] = this.opts.map((opt) => opt.paramLists.flat());
    list!.forEach((p, i) => {
      const grad = randn(p.shape, { dtype: this.#dtype }).mul(this.scalers[1].getScale());
      if (i === 1) grad.select(0, 2).mul_(largest);
      for (const each of [p, twins![i]!]) {
        if (i === missing) each.grad = null;
        else (each.grad ??= each.detach().clone()).copy_(grad);
      }
    });
  }

  step(): void {
    this.scalers[0].step(this.opts[0]);
    waits(this.scalers[1], this.opts[1]);
    for (const scaler of this.scalers) scaler.update();
  }

  /** Bit for bit on the CPU; a GPU computes scalars by itself. */
  expectSame(): void {
    const [ours, theirs] = this.opts.map((opt) =>
      opt.paramLists.flat().map((p) => [p, ...Object.values(opt.state.get(p))]),
    );
    ours!.flat().forEach((value, i) => {
      const wanted = theirs!.flat()[i];
      if (!(value instanceof TensorClass)) expect(value).toBe(wanted);
      else if (testDevice === 'cpu') expect(values(value)).toEqual(values(wanted as Tensor));
      else expectClose(value, values(wanted as Tensor));
    });
    expect(this.opts.map(keysOf)[0]).toEqual(this.opts.map(keysOf)[1]);
    expect(this.scalers[0].stateDict()).toEqual(this.scalers[1].stateDict());
  }

  dispose(): void {
    for (const each of [...this.opts, ...this.scalers]) each.dispose();
  }
}

const keysOf = (opt: Optimizer) => opt.paramLists.flat().map((p) => Object.keys(opt.state.get(p)));

// What may come between two steps.
const changes: Record<string, (opt: Optimizer, both: Both) => unknown> = {
  'a learning rate': (opt) => opt.setHyper('lr', [0.01, 0.03]),
  'a step of its own': (opt) => opt.step(),
  'a step with extras': (opt) => opt.step({ gradScale: 0.5, zeroGrad: true }),
  'a flag': (opt) => {
    const state = opt.state.get(opt.paramLists[1]![1]!);
    state.do_wd = !(state.do_wd ?? true);
  },
  'a count': (opt) => {
    const state = opt.state.get(opt.paramLists[0]![0]!);
    if (state.step !== undefined) state.step = 5;
  },
  'a state dict': (opt) => opt.loadStateDict(opt.stateDict()),
  'a cleared state': (opt) => opt.clearState(),
  'a frozen group': (opt) => opt.freezeTo(1 - opt.frozenIdx),
  'a traced step': (opt) => opt.traceStep(opt.paramLists[0]![1]!),
  'a state put back': (opt) => {
    const [p] = opt.paramLists[1]!;
    opt.state.set(p!, { ...opt.state.get(p!) });
  },
  'an average for a step': (opt) => {
    const ema = new EMA(opt);
    opt.step();
    ema.dispose();
  },
};

const makes: [string, Make][] = [
  ...Object.entries(factories),
  ...Object.entries(own).map(([name, { recorded }]): [string, Make] => [name, recorded]),
];

test.each(makes)(
  '%s: steps that the device skips are as if the program had waited, whatever comes between',
  (_, make) => {
    for (const [seed, dtype] of (['float32', 'float64', 'bfloat16'] as const).entries()) {
      const random = randomNumbers(seed);
      const both = new Both(make, dtype);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
      let skipped = 0;
      for (let i = 0; i < 40; i++) {
        if (random() < 0.3) {
          both.grade(1);
          const change = pick(Object.values(changes));
          for (const opt of both.opts) change(opt, both);
        }
        const overflows = random() < 0.3;
        skipped += Number(overflows);
        both.grade(overflows ? pick([Infinity, -Infinity, NaN]) : 1, random() < 0.2 ? 3 : -1);
        both.step();
        if (random() < 0.3) both.expectSame();
      }
      both.expectSame();
      expect(skipped).toBeGreaterThan(5);
      both.dispose();
    }
  },
);

test.each(Object.entries(changes))('after a skipped step comes %s', (_, change) => {
  for (const make of [factories.Adam!, factories.TorchNadam!]) {
    const both = new Both(make);
    for (const largest of [1, 1, Infinity, 1, NaN]) {
      both.grade(largest);
      both.step();
    }
    both.grade(1);
    for (const opt of both.opts) change(opt, both);
    both.expectSame();
    for (const largest of [1, Infinity, 1]) {
      both.grade(largest);
      both.step();
    }
    both.expectSame();
    both.dispose();
  }
});

test('nothing is read from the device until somebody asks for a count', () => {
  const params = leaves('float32');
  const opt = TorchNadam(params, { lr: 0.1 });
  using scaler = new GradScaler(options);
  scaler.scale(tensor(1));
  const step = (largest: number) => {
    for (const p of params) (p.grad ??= p.detach().clone()).fill_(largest);
    scaler.step(opt);
    scaler.update();
  };
  step(1); // callbacks make the state
  const reads = [
    jest.spyOn(TensorClass.prototype, 'item'),
    jest.spyOn(TensorClass.prototype, 'data'),
    jest.spyOn(native, 'fusedReadCounters'),
  ];
  const count = () => reads.map((each) => each.mock.calls.length);
  try {
    for (const largest of [1, Infinity, 1, 1, NaN]) step(largest);
    expect(count()).toEqual([0, 0, 0]);
    expect(params.map((p) => opt.state.get(p).step)).toEqual([4, 4, 4, 4]);
    expect(count()).toEqual([0, 0, 1]);
    opt.setHyper('lr', 0.01);
    step(1);
    expect(count()).toEqual([0, 0, 1]);
    scaler.scale(tensor(1));
    scaler.unscale_(opt);
    expect(scaler.foundInf(opt)).toBe(false); // for whoever wants to know
    expect(count()).toEqual([1, 0, 1]);
  } finally {
    for (const each of reads) each.mockRestore();
    opt.dispose();
  }
});

test('flags of a scaler are not kept by the optimizer', () => {
  const params = leaves('float32');
  const opt = Nadam(params, { lr: 0.1 });
  using scaler = new GradScaler(options);
  scaler.scale(tensor(1));
  const sizes = [1, 1, 2, 3].map(() => {
    for (const p of params) (p.grad ??= p.detach().clone()).fill_(1);
    scaler.step(opt);
    scaler.update();
    return memory().tensors;
  });
  expect(new Set(sizes.slice(1)).size).toBe(1);
  opt.dispose();
});

test('explain tells whether the program waits, and why', () => {
  const told = (make: (p: Tensor) => Optimizer, prepare?: (opt: Optimizer) => () => void) => {
    const p = tensor([1, 2]);
    p.grad = tensor([1, 1]);
    const opt = make(p);
    const end = prepare?.(opt);
    expect(opt.explain()).not.toContain('GradScaler');
    using scaler = new GradScaler();
    scaler.scale(tensor(1));
    for (let i = 0; i < 3; i++) {
      scaler.step(opt);
      scaler.update();
    }
    const [, ...rest] = opt.explain().split('; with a GradScaler, ');
    end?.();
    opt.dispose();
    return rest;
  };
  expect(told((p) => Nadam(p, { lr: 1 }))).toEqual([
    'the device leaves out a step whose gradients overflowed',
  ]);
  const waiting = (reason: string) => [`it waits for the device, as ${reason}`];
  expect(told((p) => Nadam(p, { lr: 1, fused: false }))).toEqual(
    waiting('the callbacks run, as fused is false'),
  );
  expect(told((p) => new OptimWrapper(p, torchOptim.SGD, { lr: 1 }))).toEqual(
    waiting('OptimWrapper decides on its steps itself'),
  );
  expect(told((p) => new Lookahead(SGD(p, { lr: 1 })))).toEqual([
    expect.stringMatching(/^it waits for the device, as Lookahead decides on its steps itself/),
  ]);
  const follow = (opt: Optimizer) => {
    const ema = new EMA(opt);
    return () => ema.dispose();
  };
  expect(told((p) => SGD(p, { lr: 1 }), follow)).toEqual(waiting('an EMA follows the optimizer'));
});
