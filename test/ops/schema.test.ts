import { camelCase, parseSchema } from '../../lib/ops/schema';

describe('parseSchema', () => {
  test('reads names, overloads, defaults and keyword-only arguments', () => {
    const schema = parseSchema(
      'aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor',
    );
    expect([schema.name, schema.overload]).toEqual(['sum', 'dim_IntList']);
    expect(
      schema.arguments.map(({ key, base, list, size, optional, defaultText, keywordOnly }) => [
        key,
        base,
        list,
        size,
        optional,
        defaultText,
        keywordOnly,
      ]),
    ).toEqual([
      ['self', 'Tensor', false, undefined, false, undefined, false],
      ['dim', 'int', true, 1, true, undefined, false],
      ['keepdim', 'bool', false, undefined, false, 'False', false],
      ['dtype', 'ScalarType', false, undefined, true, 'None', true],
    ]);
  });

  test('keeps commas inside defaults', () => {
    const schema = parseSchema(
      'aten::conv2d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=[1, 1], str mode="a,b") -> Tensor',
    );
    expect(schema.arguments.map(({ defaultText }) => defaultText)).toEqual([
      undefined,
      undefined,
      'None',
      '[1, 1]',
      '"a,b"',
    ]);
    expect(schema.arguments[3]?.base).toBe('int');
  });

  test('knows what is written, lists of optional tensors and lists of views', () => {
    const write = parseSchema(
      'aten::index_put_(Tensor(a!) self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor(a!)',
    );
    expect(write.arguments[0]?.mutated).toBe(true);
    expect(write.returns[0]?.mutated).toBe(true);
    expect(write.arguments[1]).toMatchObject({
      base: 'Tensor',
      list: true,
      elementOptional: true,
      optional: false,
    });
    const views = parseSchema(
      'aten::split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]',
    );
    expect(views.returns[0]).toMatchObject({ base: 'Tensor', list: true, mutated: false });
  });

  test('reads several results with names, one, and none', () => {
    expect(
      parseSchema(
        'aten::topk(Tensor self, SymInt k) -> (Tensor values, Tensor indices)',
      ).returns.map(({ name }) => name),
    ).toEqual(['values', 'indices']);
    expect(parseSchema('aten::x(Tensor self) -> ()').returns).toEqual([]);
    expect(parseSchema('aten::x() -> float[]').returns[0]).toMatchObject({
      base: 'float',
      list: true,
      name: undefined,
    });
  });

  test('keeps another namespace', () => {
    expect(parseSchema('prims::add(Tensor self, Tensor other) -> Tensor').name).toBe('prims::add');
  });
});

test.each([
  ['max_pool2d', 'maxPool2d'],
  ['add_', 'add_'],
  ['_backward', '_backward'],
  ['l1_loss', 'l1Loss'],
  ['index_put_', 'indexPut_'],
  ['argmax', 'argmax'],
])('camelCase(%p) is %p', (name, expected) => {
  expect(camelCase(name)).toBe(expected);
});
