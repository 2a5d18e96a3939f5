import { native } from '../internal/binding';
import { UnsupportedOperatorError } from '../internal/errors';
import { proxyOf } from '../internal/proxy';
import { Operator } from './call';
import { parseSchema } from './schema';

/** Any operator, typed by nothing but its name: what it takes and returns is in its schema. */
export type RawOperator = ((...args: readonly unknown[]) => unknown) & {
  /** The schemas of its overloads, as libtorch prints them. */
  readonly schemas: readonly string[];
} & { readonly [overload: string]: (...args: readonly unknown[]) => unknown };

/** The operators of one namespace by their raw names. */
export type Namespace = { readonly [name: string]: RawOperator };

function cached<T>(make: (name: string) => T): Readonly<Record<string, T>> {
  const known = new Map<string, T>();
  return proxyOf<Record<string, T>>({}, (name) => {
    if (name === 'then' || name === 'toJSON') return undefined; // promises and JSON ask objects for these
    let value = known.get(name);
    if (value === undefined) known.set(name, (value = make(name)));
    return value;
  });
}

function callable(schemas: readonly string[]): (...args: readonly unknown[]) => unknown {
  const operator = new Operator(...schemas);
  return (...args) => operator.call(args);
}

function rawOperator(namespace: string, name: string): RawOperator {
  const qualified = namespace === 'aten' ? name : `${namespace}::${name}`;
  const schemas = Array.from(native.overloads(qualified));
  if (schemas.length === 0) {
    throw new UnsupportedOperatorError(
      `ops.${namespace}.${name}: the libtorch at hand has no operator of this name`,
      { op: qualified },
    );
  }
  const overloads = new Map(
    schemas.map((schema) => [parseSchema(schema).overload || 'default', schema]),
  );
  const byName = cached((overload) => {
    const schema = overloads.get(overload);
    if (schema !== undefined) return callable([schema]);
    throw new UnsupportedOperatorError(
      `ops.${namespace}.${name}.${overload}: no such overload; there are ${[...overloads.keys()].join(', ')}`,
      { op: qualified },
    );
  });
  return proxyOf<RawOperator>(callable(schemas), (key) =>
    key === 'schemas' ? schemas : byName[key],
  );
}

/**
 * Every operator of the libtorch at hand by its raw name, `aten.add.Tensor(x, y, { alpha: 2 })` or, for the first
 * overload that fits, `aten.add(x, y)`. Arguments after the required ones may go in one object, in camelCase.
 * Those whose names begin with an underscore or end in `backward` are libtorch's own: they check little, and what doesn't fit
 * them may end the process.
 *
 * @throws UnsupportedOperatorError for a name that this libtorch lacks.
 */
export const aten: Namespace = cached((name) => rawOperator('aten', name));

/** The same for another namespace of libtorch's dispatcher, such as `prims`. */
export function namespace(name: string): Namespace {
  return cached((operator) => rawOperator(name, operator));
}
