import { ones, ops, type Tensor, tensor, zeros } from '../../lib/index';
import { native } from '../../lib/internal/binding';
import { parseSchema } from '../../lib/ops/schema';
import { expectClose, thrown } from '../support/tensors';

test('reaches any overload by its raw name', () => {
  expectClose(ops.aten.add!.Tensor!(ones(2), ones(2), { alpha: 2 }) as Tensor, [3, 3]);
  expectClose(ops.aten.special_bessel_j0!(zeros(1)) as Tensor, [1]);
  expectClose(ops.aten.relu!.default!(tensor([-1, 2])) as Tensor, [0, 2]);
});

test('picks the overload by the arguments', () => {
  expectClose(ops.aten.add!(ones(2), 5) as Tensor, [6, 6]);
});

test('out variants write to their argument and give it back', () => {
  const out = zeros(2);
  expect(ops.aten.add!.out!(ones(2), ones(2), { out })).toBe(out);
  expect(out.toArray()).toEqual([2, 2]);
});

test('lists its schemas', () => {
  expect(ops.aten.relu!.schemas).toContain('aten::relu(Tensor self) -> Tensor');
});

test('refuses names that libtorch lacks', () => {
  expect(thrown(() => ops.aten.no_such_operator)).toMatchObject({
    name: 'UnsupportedOperatorError',
    code: 'ERR_TORCH_UNSUPPORTED_OPERATOR',
  });
  expect(thrown(() => ops.aten.add!.nope).message).toMatch(/no such overload; there are .*Tensor/);
});

test('reaches other namespaces', () => {
  expect(ops.namespace('quantized').add!.schemas[0]).toMatch(/^quantized::add\(/);
});

test('every operator of libtorch can be bound, and refuses nonsense without crashing', () => {
  let refused = 0;
  for (const text of native.schemas()) {
    const schema = parseSchema(text);
    const names = schema.arguments.map(({ name }) => name);
    const id = native.findOp(schema.name, schema.overload, names);
    // A symbol fits no argument: whatever needs one must say so.
    if (names.length === 0) continue;
    expect(() => native.callOp(id, ...names.map(() => Symbol('nonsense')))).toThrow();
    refused++;
  }
  expect(refused).toBeGreaterThan(3000);
});
