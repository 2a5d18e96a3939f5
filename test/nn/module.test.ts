import { nn, noGrad, ones, randn, type Tensor, tensor, zeros } from '../../lib/index';
import { onTestDevice } from '../support/cuda';
import { expectClose, numbers, thrown } from '../support/tensors';

class Net extends nn.Module {
  first = new nn.Linear(4, 3);
  second = new nn.Linear(3, 2, { bias: false });
  scale = new nn.Parameter(ones([2]));
  mean = this.registerBuffer('mean', ones([4]));

  override forward(x: Tensor): Tensor {
    return this.second.forward(this.first.forward(x.sub(this.mean)).relu()).mul(this.scale);
  }
}

describe('a module written in TypeScript', () => {
  test('has its properties as children and parameters, in order of declaration', () => {
    using net = new Net();
    expect(net.namedChildren().map(([name, child]) => [name, child.kind])).toEqual([
      ['first', 'Linear'],
      ['second', 'Linear'],
    ]);
    expect(net.namedParameters().map(([name]) => name)).toEqual([
      'scale',
      'first.weight',
      'first.bias',
      'second.weight',
    ]);
    expect(net.namedBuffers().map(([name]) => name)).toEqual(['mean']);
    expect(net.namedModules().map(([name]) => name)).toEqual(['', 'first', 'second']);
  });

  test('a parameter is one object for its whole life', () => {
    using net = new Net();
    expect(net.parameters()[1]).toBe(net.first.weight);
    expect(net.parameters()[1]).toBe(net.parameters()[1]);
  });

  test('computes what it says, and gradients reach every parameter', () => {
    using net = new Net();
    const x = randn([5, 4]);
    const out = net.forward(x);
    const { first, second } = net;
    const byHand = x
      .sub(1)
      .matmul(first.weight.t())
      .add(first.bias!)
      .relu()
      .matmul(second.weight.t());
    expectClose(out, numbers(byHand));
    out.sum().backward();
    expect(net.parameters().every((parameter) => parameter.hasGrad)).toBe(true);
    net.zeroGrad();
    expect(net.parameters().some((parameter) => parameter.hasGrad)).toBe(false);
  });

  test('a module or parameter that is used twice is listed once', () => {
    class Tied extends nn.Module {
      a = new nn.Linear(2, 2);
      b = this.a;
      weight = this.a.weight;
      override forward(x: Tensor): Tensor {
        return this.b.forward(this.a.forward(x));
      }
    }
    using tied = new Tied();
    expect(tied.namedParameters().map(([name]) => name)).toEqual(['weight', 'a.bias']);
    expect(tied.modules()).toHaveLength(2);
  });

  test('clone is independent and keeps its class', () => {
    using net = new Net().eval();
    using copy = net.clone();
    expect(copy).toBeInstanceOf(Net);
    expect(copy.training).toBe(false);
    const x = randn([2, 4]);
    expectClose(copy.forward(x), numbers(net.forward(x)), 0);
    noGrad(() => copy.scale.fill_(0));
    expect(net.scale.toArray()).toEqual([1, 1]);
    expect(copy.first.weight).not.toBe(net.first.weight);
    expect(copy.namedBuffers().map(([name]) => name)).toEqual(['mean']);
  });

  test('dispose frees everything, twice does nothing, and use is refused', () => {
    const net = new Net();
    net
      .forward(randn([1, 4]))
      .sum()
      .backward();
    net.dispose();
    net.dispose();
    expect(net.scale.isDisposed).toBe(true);
    expect(thrown(() => net.parameters())).toMatchObject({
      code: 'ERR_TORCH_DISPOSED',
      message: 'Net: the module has been disposed',
    });
    expect(thrown(() => net.forward(zeros([1, 4]))).code).toBe('ERR_TORCH_DISPOSED');
  });
});

describe('train, eval, apply, to', () => {
  test('reach every module', () => {
    using net = new nn.Sequential(new nn.Linear(2, 2), new nn.Sequential(new nn.Dropout(0.5)));
    net.eval();
    expect(net.modules().map((module) => module.training)).toEqual([false, false, false, false]);
    net.train();
    expect(net.modules().every((module) => module.training)).toBe(true);
    const order: string[] = [];
    net.apply((module) => order.push(module.kind));
    expect(order).toEqual(['Linear', 'Dropout', 'Sequential', 'Sequential']);
  });

  test('to moves floating parameters, gradients and buffers in place', () => {
    using net = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2));
    const [weight] = net.parameters();
    net
      .forward(randn([4, 2]))
      .sum()
      .backward();
    net.to('float64');
    expect(net.parameters()[0]).toBe(weight);
    expect([weight?.dtype, weight?.grad?.dtype]).toEqual(['float64', 'float64']);
    expect(net.buffers().map((buffer) => buffer.dtype)).toEqual(['float64', 'float64', 'int64']);
    expect(net.forward(randn([4, 2], { dtype: 'float64' })).dtype).toBe('float64');
  });

  test('requiresGrad_ freezes', () => {
    using net = new nn.Linear(2, 2);
    net.requiresGrad_(false);
    expect(net.forward(ones([1, 2])).requiresGrad).toBe(false);
  });
});

describe('state', () => {
  test('stateDict copies parameters and buffers, module by module', () => {
    using net = new nn.Sequential(new nn.Linear(1, 1), new nn.BatchNorm1d(1));
    const state = net.stateDict();
    expect(Object.keys(state)).toEqual([
      '0.weight',
      '0.bias',
      '1.weight',
      '1.bias',
      '1.running_mean',
      '1.running_var',
      '1.num_batches_tracked',
    ]);
    noGrad(() => net.parameters()[0]?.fill_(9));
    expect(state['0.weight']?.item()).not.toBe(9);
    net.loadStateDict(state);
    expect(net.parameters()[0]?.item()).toBe(state['0.weight']?.item());
  });

  test('loadStateDict changes nothing when something does not fit', () => {
    using net = new nn.Linear(2, 1);
    const before = numbers(net.weight);
    const error = thrown(() =>
      net.loadStateDict({ weight: zeros([1, 2]), bias: zeros([3]), extra: zeros(1) }),
    );
    expect(error.code).toBe('ERR_TORCH_ARGUMENT');
    expect(error.message).toBe(
      'loadStateDict: expected the 2 names and shapes of this module\n  unexpected: extra\n  misfits: bias (expected [1], got [3])',
    );
    expect(numbers(net.weight)).toEqual(before);
    expect(
      thrown(() => net.loadStateDict({ weight: 1 as never, bias: zeros(1) })).message,
    ).toContain('weight (expected [1, 2], got number)');
  });

  test('strict: false loads what matches and tells the rest', () => {
    using net = new nn.Linear(2, 1);
    expect(
      net.loadStateDict({ weight: zeros([1, 2]), extra: zeros(1) }, { strict: false }),
    ).toEqual({ missingKeys: ['bias'], unexpectedKeys: ['extra'] });
    expect(net.weight.toArray()).toEqual([[0, 0]]);
  });
});

describe('forward hooks', () => {
  test('see input and output and may replace it, on both kinds of modules', () => {
    for (const net of [new nn.Linear(2, 2), new Net()]) {
      const width = net instanceof Net ? 4 : 2;
      const shapes: number[][] = [];
      const hook = net.registerForwardHook((module, input, output) => {
        expect(module).toBe(net);
        shapes.push(input.shape, output.shape);
        return output.mul(0);
      });
      expectClose(net.forward(randn([1, width])), [0, 0], 0);
      expect(shapes).toEqual([
        [1, width],
        [1, 2],
      ]);
      hook.remove();
      net.forward(randn([1, width]));
      expect(shapes).toHaveLength(2);
      net.dispose();
    }
  });

  test('a hook on a child inside native code fires, and its error comes out', () => {
    using net = new nn.Sequential(new nn.Linear(2, 2));
    const mine = new Error('mine');
    const hook = net.children()[0]!.registerForwardHook(() => {
      throw mine;
    });
    expect(thrown(() => net.forward(ones([1, 2])))).toBe(mine);
    hook.remove();
    expect(net.forward(ones([1, 2])).shape).toEqual([1, 2]);
  });
});

describe('containers', () => {
  test('Sequential mixes native and TypeScript modules', () => {
    using net = new nn.Sequential(new nn.Flatten(), new Net());
    expect(net.forward(randn([3, 2, 2])).shape).toEqual([3, 2]);
    expect(net.namedParameters().map(([name]) => name)).toContain('1.first.weight');
    using copy = net.clone();
    expect(copy).toBeInstanceOf(nn.Sequential);
    expect(copy.children()[1]).not.toBe(net.children()[1]);
  });

  test('ModuleList only holds', () => {
    using list = new nn.ModuleList([new nn.Identity(), new nn.ReLU()]);
    expect([list.length, list.at(-1)?.kind, [...list].length]).toEqual([2, 'ReLU', 2]);
    expect(thrown(() => list.forward(ones(1))).message).toContain('nn.Sequential');
    expect(thrown(() => list.push(3 as never)).code).toBe('ERR_TORCH_ARGUMENT');
  });

  test('getSubmodule follows dotted names', () => {
    using net = new nn.Sequential(new nn.Sequential(new nn.ReLU()));
    expect(net.getSubmodule('0.0').kind).toBe('ReLU');
    expect(net.getSubmodule('')).toBe(net);
    expect(thrown(() => net.getSubmodule('0.7')).message).toBe(
      "getSubmodule: expected the name of a module, got '0.7', which is none in Sequential",
    );
  });
});

describe('registerBuffer', () => {
  test('works on native modules as well', () => {
    using net = new nn.Linear(1, 1);
    net.registerBuffer('count', tensor([3n]));
    expect(Object.keys(net.stateDict())).toEqual(['weight', 'bias', 'count']);
  });

  test.each([
    ['a.b', /without dots/],
    ['', /without dots/],
  ])('refuses the name %p', (name, message) => {
    using net = new Net();
    expect(thrown(() => net.registerBuffer(name, ones(1))).message).toMatch(message);
  });
});

test('summary lists layers, shapes and totals, and moves no statistics', () => {
  using net = new nn.Sequential(
    new nn.Conv2d(1, 2, 3),
    new nn.BatchNorm2d(2),
    new nn.Flatten(),
    new nn.Linear(72, 3),
  );
  const before = Object.fromEntries(
    Object.entries(net.stateDict()).map(([name, value]) => [name, numbers(value)]),
  );
  const text = net.summary(randn([2, 1, 8, 8]));
  expect(text.split('\n')[1]).toMatch(
    /^0 +Conv2d\(1, 2, kernel_size=\(3, 3\).*\[2, 2, 6, 6\] +20$/,
  );
  expect(text).toContain('243 parameters in 6 tensors, 243 of them trainable');
  expect(
    Object.fromEntries(
      Object.entries(net.stateDict()).map(([name, value]) => [name, numbers(value)]),
    ),
  ).toEqual(before);
  expect(net.training).toBe(true);
  expect(String(net)).toContain('(0): Conv2d(1, 2, kernel_size=(3, 3)');
});

test('a module that holds itself is walked once', () => {
  class Ring extends nn.Module {
    inner = new nn.Linear(1, 1);
    self: nn.Module = this;
    override forward(x: Tensor): Tensor {
      return this.inner.forward(x);
    }
  }
  using ring = new Ring();
  const kinds: string[] = [];
  ring.apply((module) => kinds.push(module.kind));
  expect(kinds).toEqual(['Linear', 'Ring']);
  expect(String(ring)).toContain('(inner): Linear');
  using copy = ring.clone();
  expect(copy.self).toBe(copy);
});

test('two tensors of one name are refused, not lost', () => {
  class Clash extends nn.Module {
    w = new nn.Parameter(ones(1));
    buffer = this.registerBuffer('w', ones(1));
    override forward(x: Tensor): Tensor {
      return x;
    }
  }
  using clash = new Clash();
  expect(thrown(() => clash.stateDict()).message).toContain("two called 'w'");
});

test.each<[string, () => unknown]>([
  ['loadStateDict(null)', () => new nn.Identity().loadStateDict(null as never)],
  ['a function in a Sequential', () => new nn.Sequential(((x: Tensor) => x) as never)],
])('%s is an ArgumentError', (_, body) => {
  expect(thrown(body).code).toBe('ERR_TORCH_ARGUMENT');
});

test('an error inside a native network names it and what it was given', () => {
  using net = new nn.Conv2d(1, 2, 3);
  expect(thrown(() => net.forward(ones([1, 3, 8, 8])))).toMatchObject({
    op: 'Conv2d.forward',
    received: `input: Tensor float32[1, 3, 8, 8]${onTestDevice}`,
  });
});
