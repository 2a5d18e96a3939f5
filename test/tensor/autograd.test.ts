import {
  autograd,
  enableGrad,
  isGradEnabled,
  noGrad,
  ones,
  ops,
  tensor,
  type Tensor,
  zeros,
} from '../../lib/index';
import { onTestDevice } from '../support/cuda';
import { expectClose, thrown } from '../support/tensors';

const leaf = (values: number[]) => tensor(values, { requiresGrad: true });

describe('backward', () => {
  test('matches the derivative worked out by hand', () => {
    const x = tensor(
      [
        [1, 2],
        [3, 4],
      ],
      { requiresGrad: true },
    );
    x.matmul(x).sum().backward();
    expect(x.grad?.toArray()).toEqual([
      [7, 11],
      [9, 13],
    ]); // X^T 1 + 1 X^T
  });

  test('accumulates, into the same object', () => {
    const x = leaf([3]);
    x.mul(x).backward();
    const grad = x.grad;
    x.mul(x).backward();
    expect(x.grad).toBe(grad);
    expect(x.grad?.item()).toBe(12);
  });

  test('takes a gradient, keeps the graph on request, builds higher derivatives', () => {
    const x = leaf([2, 3]);
    const y = x.mul(x);
    y.backward({ gradient: tensor([1, 10]), retainGraph: true });
    expect(x.grad?.toArray()).toEqual([4, 60]);
    y.backward({ gradient: tensor([1, 1]) });
    expect(thrown(() => y.backward({ gradient: ones(2) })).message).toMatch(/second time/);

    const z = leaf([2]);
    z.pow(3).backward({ createGraph: true });
    const first = z.grad;
    z.grad = null;
    first?.backward();
    expect((z.grad as Tensor | null)?.toArray()).toEqual([12]);
  });

  test('fills only the inputs that are named', () => {
    const a = leaf([1]);
    const b = leaf([2]);
    a.mul(b).backward({ inputs: [b] });
    expect([a.grad, b.grad?.item()]).toEqual([null, 1]);
  });

  test('refuses what has no graph and more than one element without a gradient', () => {
    expect(thrown(() => ones(1).backward()).message).toMatch(/does not require grad/);
    expect(thrown(() => leaf([1, 2]).mul(2).backward()).message).toMatch(/scalar outputs/);
    expect(
      thrown(() =>
        leaf([1])
          .mul(2)
          .backward({ gradient: ones([3]) }),
      ).message,
    ).toBe(
      `backward: expected a gradient of the shape of the Tensor float32[1]${onTestDevice}, got float32[3]${onTestDevice}`,
    );
    expect(
      thrown(() =>
        leaf([1])
          .mul(2)
          .backward({ gradient: 3 as never }),
      ).code,
    ).toBe('ERR_TORCH_ARGUMENT');
  });

  test('notices a value that was changed in place', () => {
    const x = leaf([1]);
    const y = x.exp();
    y.add_(1);
    expect(thrown(() => y.backward()).message).toMatch(/modified by an inplace operation/);
  });
});

describe('grad', () => {
  test('is null, assignable, and one object', () => {
    const x = zeros(2);
    expect(x.grad).toBeNull();
    const grad = ones(2);
    x.grad = grad;
    expect(x.grad).toBe(grad);
    expect(x.hasGrad).toBe(true);
    x.grad = null;
    expect(x.hasGrad).toBe(false);
  });

  test('outlives the handle that it was assigned by', () => {
    const x = zeros(2);
    const grad = ones(2);
    x.grad = grad;
    grad.dispose();
    expect(x.grad?.toArray()).toEqual([1, 1]);
  });

  test.each([
    ['another shape', () => ones(3)],
    ['another dtype', () => ones(2, { dtype: 'float64' })],
    ['no tensor', () => 5],
  ])('refuses %s', (_, make) => {
    expect(thrown(() => (zeros(2).grad = make() as never)).code).toBe('ERR_TORCH_ARGUMENT');
  });

  test('a tensor is not its own gradient', () => {
    const x = zeros(2);
    expect(thrown(() => (x.grad = x)).code).toBe('ERR_TORCH_ARGUMENT');
  });
});

describe('autograd.grad', () => {
  test('gives gradients and leaves grad alone', () => {
    const x = leaf([2]);
    const [dx] = autograd.grad(x.pow(3), x);
    expect([dx?.item(), x.grad]).toEqual([12, null]);
  });

  test('second derivatives by createGraph', () => {
    const x = leaf([2]);
    const [dx] = autograd.grad(x.pow(3), [x], { createGraph: true });
    expectClose(autograd.grad(dx!, [x])[0]!, [12]);
  });

  test('refuses unused inputs unless allowed', () => {
    const x = leaf([2]);
    const other = leaf([1]);
    expect(thrown(() => autograd.grad(x.mul(1), other)).message).toMatch(/not have been used/);
    expect(autograd.grad(x.mul(1), [other], { allowUnused: true })).toEqual([null]);
  });
});

describe('grad modes', () => {
  test('noGrad records nothing, enableGrad inside it does', () => {
    const x = leaf([1]);
    expect(noGrad(() => x.mul(2)).requiresGrad).toBe(false);
    expect(noGrad(() => enableGrad(() => x.mul(2))).requiresGrad).toBe(true);
    expect(isGradEnabled()).toBe(true);
  });

  test('the mode is restored after a throw, and promises are refused', () => {
    expect(() =>
      noGrad(() => {
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect(isGradEnabled()).toBe(true);
    expect(thrown(() => noGrad(async () => Promise.resolve(1)))).toMatchObject({
      code: 'ERR_TORCH_ARGUMENT',
      message: expect.stringContaining('promise'),
    });
    expect(isGradEnabled()).toBe(true);
  });
});

describe('the graph', () => {
  test('leaves, gradFn and requiresGrad', () => {
    const x = leaf([1]);
    const y = x.mul(2);
    expect([x.isLeaf, y.isLeaf, x.gradFn, y.gradFn?.name]).toEqual([
      true,
      false,
      null,
      'MulBackward1',
    ]);
    expect(y.gradFn?.nextFunctions[0]?.name).toBe('torch::autograd::AccumulateGrad');
    expect(thrown(() => (y.requiresGrad = false)).message).toContain('use detach()');
    expect(x.requiresGrad_(false).requiresGrad).toBe(false);
  });

  test('retainGrad keeps the gradient of a result', () => {
    const x = leaf([3]);
    const y = x.mul(2);
    y.retainGrad();
    y.mul(y).backward();
    expect(y.grad?.item()).toBe(12);
  });

  test('data() and detach() give values without history', () => {
    const x = leaf([1]);
    expect(x.mul(2).detach().requiresGrad).toBe(false);
    expect(ops.relu(x).data()).toEqual(new Float32Array([1]));
  });
});

describe('hooks', () => {
  test('see the gradient, may replace it, and can be taken away', () => {
    const x = leaf([1, 2]);
    const seen: unknown[] = [];
    const doubled = x.registerHook((grad) => grad.mul(2));
    const watched = x.registerHook((grad) => {
      seen.push(grad.toArray());
    });
    x.sum().backward();
    expect([x.grad?.toArray(), seen]).toEqual([[2, 2], [[2, 2]]]);
    doubled.remove();
    watched.remove();
    x.sum().backward();
    expect([x.grad?.toArray(), seen.length]).toEqual([[3, 3], 1]);
  });

  test('what a hook throws comes out of backward as it is, and the graph stays usable', () => {
    const x = leaf([1]);
    const mine = new RangeError('mine');
    const hook = x.registerHook(() => {
      throw mine;
    });
    expect(thrown(() => x.mul(2).backward())).toBe(mine);
    hook.remove();
    x.mul(2).backward();
    expect(x.grad?.item()).toBe(2);
  });

  test('a hook may run a backward pass of its own, once it turns recording on', () => {
    const x = leaf([1]);
    const y = leaf([5]);
    x.registerHook(() =>
      enableGrad(() => {
        y.mul(y).backward();
      }),
    );
    x.mul(2).backward();
    expect([x.grad?.item(), y.grad?.item()]).toEqual([2, 10]);
  });

  test.each([
    ['no tensor', () => 5],
    ['a promise', async () => Promise.resolve()],
  ])('refuses a hook that returns %s', (_, hook) => {
    const x = leaf([1]);
    x.registerHook(hook as never);
    expect(thrown(() => x.mul(2).backward()).code).toBe('ERR_TORCH_ARGUMENT');
  });

  test('a tensor without a graph takes no hook', () => {
    expect(thrown(() => zeros(1).registerHook(() => undefined)).message).toMatch(/gradient/);
  });
});

test.each<[string, () => unknown, RegExp]>([
  [
    'backward',
    () =>
      leaf([1])
        .mul(2)
        .backward({ retain_graph: true } as never),
    /did you mean 'retainGraph'/,
  ],
  [
    'grad',
    () => autograd.grad(leaf([1]), leaf([1]), { allow_unused: true } as never),
    /did you mean 'allowUnused'/,
  ],
  [
    'to',
    () => zeros(1).to('float32', { nonblocking: true } as never),
    /did you mean 'nonBlocking'/,
  ],
  ['to an object', () => zeros(1).to({ type: 'float32' } as never), /unknown option 'type'/],
])('%s refuses options that it does not know', (_, body, message) => {
  expect(thrown(body)).toMatchObject({ code: 'ERR_TORCH_UNKNOWN_OPTION' });
  expect(thrown(body).message).toMatch(message);
});

test('what cannot be differentiated is said by name', () => {
  expect(thrown(() => autograd.grad([], []))).toMatchObject({ code: 'ERR_TORCH_ARGUMENT' });
  expect(thrown(() => leaf([1, 2]).mul(2).backward())).toMatchObject({
    op: 'backward',
    received: `Tensor float32[2]${onTestDevice}`,
  });
  expect(thrown(() => leaf([1]).registerHook(3 as never)).code).toBe('ERR_TORCH_ARGUMENT');
});
