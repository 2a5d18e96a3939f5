import { keep, memory, noGrad, ones, Scope, tensor, type Tensor, tidy } from '../../lib/index';
import { thrown } from '../support/tensors';

const live = (): number => memory().tensors;

describe('tidy', () => {
  test('frees what was made inside, but the result', () => {
    const before = live();
    const inner: Tensor[] = [];
    const y = tidy(() => {
      inner.push(ones(3).mul(2));
      return inner[0]!.add(1);
    });
    expect(live()).toBe(before + 1);
    expect([inner[0]!.isDisposed, y.toArray()]).toEqual([true, [3, 3, 3]]);
  });

  test('finds results in arrays and plain objects, also in a ring', () => {
    const ring: Record<string, unknown> = {};
    const result = tidy(() =>
      Object.assign(ring, { a: [ones(1)], b: { c: ones(2) }, ring, n: null }),
    );
    expect([result.a[0]!.isDisposed, result.b.c.isDisposed]).toEqual([false, false]);
  });

  test('a result goes to the scope around', () => {
    let inner: Tensor | undefined;
    tidy(() => {
      inner = tidy(() => ones(1));
      expect(inner.isDisposed).toBe(false);
    });
    expect(inner?.isDisposed).toBe(true);
  });

  test('does not free what was made outside, nor what was kept', () => {
    const outside = ones(1);
    let kept: Tensor | undefined;
    expect(
      tidy(() => {
        kept = keep(ones(2));
        return outside;
      }),
    ).toBe(outside);
    expect([outside.isDisposed, kept?.isDisposed]).toEqual([false, false]);
    kept?.dispose();
  });

  test('frees after a throw', () => {
    const before = live();
    expect(() =>
      tidy(() => {
        ones(5);
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect(live()).toBe(before);
  });

  test('refuses a promise and still frees', () => {
    const before = live();
    expect(thrown(() => tidy(async () => Promise.resolve(ones(1)))).code).toBe(
      'ERR_TORCH_ARGUMENT',
    );
    expect(live()).toBe(before);
    expect(thrown(() => tidy(async () => Promise.reject(new Error('late')))).code).toBe(
      'ERR_TORCH_ARGUMENT',
    );
  });

  test('nests with noGrad', () => {
    expect(tidy(() => noGrad(() => ones(1).add(1))).item()).toBe(2);
  });
});

describe('Scope', () => {
  test('collects over several stretches and can be used again', () => {
    const before = live();
    const scope = new Scope();
    const a = scope.run(() => ones(1));
    const b = scope.run(() => a.add(1));
    expect(b.item()).toBe(2);
    scope.dispose();
    expect([a.isDisposed, b.isDisposed, live()]).toEqual([true, true, before]);
    scope.run(() => ones(1));
    scope.dispose();
    expect(live()).toBe(before);
  });

  test('two scopes at once free only their own', () => {
    const [one, two] = [new Scope(), new Scope()];
    const a = one.run(() => ones(1));
    const b = two.run(() => ones(1));
    one.dispose();
    expect([a.isDisposed, b.isDisposed]).toEqual([true, false]);
    two.dispose();
  });

  test('adopt takes over from another scope', () => {
    const scope = new Scope();
    const a = tidy(() => {
      const made = ones(1);
      scope.adopt(made);
      return made;
    });
    expect(a.isDisposed).toBe(false);
    scope.dispose();
    expect(a.isDisposed).toBe(true);
  });

  test('does not hold on to thousands of disposed tensors', () => {
    const scope = new Scope();
    scope.run(() => {
      for (let i = 0; i < 5000; i++) ones(1).dispose();
    });

    expect(scope.size).toBeLessThan(2000);
    scope.dispose();
  });
});

test('using frees at the end of the block', () => {
  let outer: Tensor;
  {
    using y = ones(3);
    outer = y;
  }
  expect(outer.isDisposed).toBe(true);
});

test('memory counts live handles and the bytes of the allocator', () => {
  const before = memory();
  const x = ones([1024, 256], { device: 'cpu' });
  const view = x.view(-1);
  expect(memory().tensors).toBe(before.tensors + 2);
  expect(memory().bytes - before.bytes).toBeGreaterThanOrEqual(1 << 20);
  x.dispose();
  expect(view.toArray()).toHaveLength(1024 * 256);
  view.dispose();
  expect(memory().bytes).toBeLessThan(before.bytes + 4096);
});

test('set_data and resize_ leave the books balanced', () => {
  const before = memory();
  const x = ones(10);
  x.resize_([100000]);
  x.setData(tensor([1, 2]));
  x.dispose();
  globalThis.gc?.();
  expect(memory().tensors).toBeLessThanOrEqual(before.tensors + 1);
});
