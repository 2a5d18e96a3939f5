import { manualSeed, memory, optim, randn, tensor, type Tensor } from '../../lib/index';
import { values } from './support';

const { Adam, Lamb, Larc, Nadam, OptimWrapper, Optimizer, Ranger, SGD, torchOptim } = optim;

// Rounds a number to bfloat16, to nearest even.
function rounded(x: number): number {
  const [float, bits] = [new Float32Array([x]), new Uint32Array(1)];
  const wide = new Uint32Array(float.buffer);
  bits[0] = ((wide[0]! + 0x7fff + ((wide[0]! >>> 16) & 1)) & 0xffff0000) >>> 0;
  return new Float32Array(bits.buffer)[0]!;
}

function stepped(fused: optim.Fused) {
  const steps = 20;
  manualSeed(3);
  const params = [[1025], [3, 4], []].map((shape) => randn(shape));
  const opt = Nadam(params, { lr: 1e-3, wd: 0.1, stateDtype: 'bfloat16', fused });
  const grads: Tensor[][] = [];
  for (let step = 0; step < steps; step++) {
    grads.push(params.map((p) => randn(p.shape)));
    params.forEach((p, i) => (p.grad = grads[step]![i]!));
    opt.step();
  }
  return { params, opt, grads };
}

test.each([false, 'auto'] as const)(
  'averages are rounded to bfloat16 once a step, as by hand: fused %p',
  (fused) => {
    const { params, opt, grads } = stepped(fused);
    if (fused) expect(opt.explain()).toContain('in one pass');
    const [p] = params;
    manualSeed(3);
    const start = values(randn([1025]));
    start.forEach((w, i) => {
      let [m, v] = [0, 0];
      grads.forEach((step, n) => {
        const g = step[0]!.data()[i] as number;
        const [mom, sqr] = [0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g];
        const num = (0.9 * mom + 0.1 * g) / (1 - 0.9 ** (n + 1));
        w = w * (1 - 1e-4) - (1e-3 * num) / (Math.sqrt(sqr / (1 - 0.99 ** (n + 1))) + 1e-8);
        [m, v] = [rounded(mom), rounded(sqr)];
      });
      // A sum that lies between two numbers of bfloat16 may be rounded the other way: 1/256 of a step.
      expect(Math.abs(w - (p!.data()[i] as number))).toBeLessThan(1e-4);
    });
    expect(opt.state.get(p!).grad_avg?.dtype).toBe('bfloat16');
    expect(opt.state.get(p!).sqr_avg?.dtype).toBe('bfloat16');
    opt.dispose();
  },
);

test('averages take half the memory, and nothing is left behind', () => {
  const bytesOf = (stateDtype: optim.StateDtype) => {
    // memory() counts the bytes of the CPU.
    const p = tensor(new Float32Array(100_000), { device: 'cpu' });
    p.grad = p.onesLike();
    const before = memory();
    const opt = Adam(p, { lr: 0.1, stateDtype, fused: false });
    for (let i = 0; i < 3; i++) opt.step();
    const [bytes, tensors] = [memory().bytes - before.bytes, memory().tensors - before.tensors];
    opt.dispose();
    return { kilobytes: Math.round(bytes / 1000), tensors };
  };
  expect(bytesOf('float32')).toEqual({ kilobytes: 800, tensors: 2 });
  expect(bytesOf('bfloat16')).toEqual({ kilobytes: 400, tensors: 2 });
});

test('what is recorded, norms, and slow weights work with it', () => {
  for (const make of [Lamb, Larc, Ranger]) {
    const results = (['auto', false] as const).map((fused) => {
      manualSeed(5);
      const p = randn([64]);
      const opt = make(p, { lr: 0.01, fused, stateDtype: 'bfloat16' });
      for (let i = 0; i < 12; i++) {
        p.grad = randn([64]);
        opt.step();
      }
      const { grad_avg, slow_weights, local_lr } = opt.state.get(p);
      expect(grad_avg?.dtype).toBe('bfloat16');
      if (slow_weights) expect(slow_weights.dtype).toBe('float32');
      if (local_lr) expect(local_lr).toHaveProperty('dtype', 'float32');
      expect(opt.explain()).toContain(fused ? 'pass' : 'as fused is false');
      opt.dispose();
      return values(p);
    });
    results[0]!.forEach((value, i) => expect(Math.abs(value - results[1]![i]!)).toBeLessThan(1e-3));
  }
});

test('a state of float32 that is loaded becomes bfloat16 at the next step', () => {
  const p = tensor([1, 2, 3]);
  p.grad = tensor([1, 1, 1]);
  const wide = Adam(p, { lr: 0.1 });
  wide.step();
  const opt = Adam(p, { lr: 0.1, stateDtype: 'bfloat16' });
  opt.loadStateDict(wide.stateDict());
  opt.step();
  expect(opt.state.get(p).grad_avg?.dtype).toBe('bfloat16');
  opt.step();
  expect(opt.explain()).toContain('in one pass');
  for (const each of [wide, opt]) each.dispose();
});

const bothDtypes = ['float32', 'bfloat16'] as const;
const ways: [string, (from: optim.Optimizer, to: optim.Optimizer) => void][] = [
  ['a state dict', (from, to) => to.loadStateDict(from.stateDict())],
  ["fastai's layout", (from, to) => to.fromFastai(from.toFastai())],
];

describe.each(ways)('loaded from %s', (_, load) => {
  test.each([bothDtypes, bothDtypes.toReversed()] as [optim.StateDtype, optim.StateDtype][])(
    'averages of %s become %s, and the next step is fused',
    (from, to) => {
      for (const make of [Adam, Larc, Ranger]) {
        const p = tensor([1, 2, 3]);
        p.grad = tensor([1, 1, 1]);
        const saved = make(p, { lr: 0.1, stateDtype: from });
        saved.step();
        const opt = make(p, { lr: 0.1, stateDtype: to, fused: true });
        load(saved, opt);
        for (const each of [saved, opt]) {
          const { grad_avg, slow_weights, local_lr } = each.state.get(p);
          expect(grad_avg?.dtype).toBe(each === opt ? to : from);
          for (const exact of [slow_weights, local_lr])
            if (exact) expect(exact).toHaveProperty('dtype', 'float32');
        }
        opt.step();
        expect(opt.state.get(p).grad_avg?.dtype).toBe(to);
        for (const each of [saved, opt]) each.dispose();
      }
    },
  );
});

test.each(['float16', 'bfloat16', 'float32'] as const)(
  'averages that fastai kept as %s, as its parameters, are float32 here',
  (dtype) => {
    const p = tensor([1, 2], { dtype });
    p.grad = tensor([1, 1], { dtype });
    const average = tensor([0.5, 0.25], { dtype });
    const opt = Adam(p, { lr: 0.1, fused: true });
    opt.fromFastai({ state: [{ grad_avg: average, sqr_avg: average, step: 1 }], hypers: [{}] });
    expect(opt.state.get(p).sqr_avg).toHaveProperty('dtype', 'float32');
    expect(values(opt.state.get(p).grad_avg!)).toEqual([0.5, 0.25]);
    opt.step();
    opt.dispose();
  },
);

test('what is no average is loaded as it is', () => {
  const p = tensor([1, 2]);
  const opt = SGD(p, { lr: 0.1, stateDtype: 'bfloat16' });
  const state = {
    mask: tensor([true, false]),
    counts: tensor([1n, 2n]),
    scale: tensor(0.1, { dtype: 'float64' }),
    list: [tensor([1, 2])],
  };
  opt.loadStateDict({ state: [state], hypers: [{}] });
  const { mask, counts, scale, list } = opt.state.get(p) as unknown as typeof state;
  const dtypes = [mask, counts, scale, ...list].map(({ dtype }) => dtype);
  expect(dtypes).toEqual(['bool', 'int64', 'float64', 'float32']);
  opt.dispose();
});

test("libtorch's optimizers keep averages in the dtype of their parameters, as PyTorch does", () => {
  const p = tensor([1, 2]);
  p.grad = tensor([1, 1]);
  const opt = new OptimWrapper(p, torchOptim.Adam, { lr: 0.1 });
  const average = tensor([0.5, 0.25], { dtype: 'bfloat16' });
  opt.loadStateDict({ state: [{ exp_avg: average, exp_avg_sq: average, step: 3 }], hypers: [{}] });
  opt.step();
  expect(opt.stateDict().state[0]).toMatchObject({
    exp_avg: { dtype: 'float32' },
    exp_avg_sq: { dtype: 'float32' },
    step: 4,
  });
  opt.dispose();
});

test('the number of a parameter without dimensions is no average', () => {
  const steps = (['auto', false] as const).map((fused) => {
    const p = tensor(2);
    p.grad = tensor(1);
    const opt = Larc(p, { lr: 0.1, stateDtype: 'bfloat16', fused });
    for (let i = 0; i < 3; i++) opt.step();
    expect(opt.explain()).toContain(fused ? 'in 2 passes' : 'as fused is false');
    expect(opt.state.get(p).local_lr).toHaveProperty('dtype', 'float32');
    expect(opt.state.get(p).grad_avg).toHaveProperty('dtype', 'bfloat16');
    opt.dispose();
    return p.item();
  });
  expect(steps[0]).toBeCloseTo(steps[1]!, 3);
});

test('other dtypes and float64 parameters are refused', () => {
  const p = tensor([1]);
  // @ts-expect-error it is no dtype of averages
  expect(() => SGD(p, { lr: 1, stateDtype: 'float16' })).toThrow(
    /expected stateDtype 'float32' or 'bfloat16', got 'float16'/,
  );
  const wide = tensor([1], { dtype: 'float64' });
  expect(() => SGD(wide, { lr: 1, stateDtype: 'bfloat16' })).toThrow(/got float64/);
  const opt = new Optimizer(p, [optim.sgdStep], { lr: 1 }, { stateDtype: 'bfloat16' });
  expect(() => opt.addParamGroup(wide)).toThrow(/got float64/);
  opt.dispose();
});

test.each(bothDtypes)(
  "a user's own state of float64 stays so beside averages of %s",
  (stateDtype) => {
    const p = tensor([1, 2]);
    const opt = new Optimizer(p, [() => undefined], {}, { stateDtype });
    opt.state.get(p).sum = tensor([1, 1], { dtype: 'float64' });
    opt.loadStateDict(opt.stateDict());
    expect(opt.state.get(p).sum).toHaveProperty('dtype', 'float64');
  },
);
