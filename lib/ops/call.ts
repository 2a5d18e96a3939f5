import { callNative, native } from '../internal/binding';
import { ArgumentError, UnsupportedOperatorError } from '../internal/errors';
import { Generator } from '../tensor/generator';
import { Tensor } from '../tensor/tensor';
import { accepts, describe, fromNative, toNative } from './convert';
import { parseSchema, type Schema, type SchemaArgument } from './schema';

type Options = Readonly<Record<string, unknown>>;

/** One overload: its pinned schema, and its number in the addon once it was called. */
class Overload {
  readonly schema: Schema;
  readonly positional: readonly SchemaArgument[];
  readonly places: ReadonlyMap<string, number>;
  /** `view(2, 3)` for `view([2, 3])`: the only argument after self is a list of any length. */
  readonly variadic: boolean;
  /** The places of the arguments that it writes to, in the order in which it returns them. */
  readonly #written: readonly number[];
  #id = -1;
  #absent: readonly number[] = [];

  constructor(text: string) {
    this.schema = parseSchema(text);
    const args = this.schema.arguments;
    this.positional = args.filter((argument) => !argument.keywordOnly);
    this.places = new Map(args.map((argument, place) => [argument.key, place]));
    const [, list, ...more] = this.positional;
    this.#written = args.flatMap((argument, place) => (argument.mutated ? [place] : []));
    this.variadic =
      list?.base === 'int' && list.list && list.size === undefined && more.length === 0;
  }

  /** Puts arguments into the schema's order; undefined where they don't fit this overload. */
  arrange(args: readonly unknown[], options: Options | undefined): unknown[] | undefined {
    let flat = args.slice();
    if (this.variadic && typeof args[1] === 'number') flat = [args[0], flat.slice(1)];
    if (flat.length > this.positional.length) return undefined;
    if (options !== undefined) {
      for (const key of Object.keys(options)) {
        const place = this.places.get(key);
        if (place === undefined || flat[place] !== undefined) return undefined;
        flat[place] = options[key];
      }
    }
    return this.#fits(flat) ? flat : undefined;
  }

  #fits(flat: readonly unknown[]): boolean {
    return this.schema.arguments.every((argument, i) => {
      const value = flat[i];
      if (value !== undefined) return accepts(argument, value);
      return argument.defaultText !== undefined || argument.optional;
    });
  }

  call(flat: readonly unknown[]): unknown {
    if (this.#id < 0) this.#bind();
    for (const place of this.#absent) {
      if (flat[place] === undefined) continue;
      const argument = this.schema.arguments[place];
      throw new UnsupportedOperatorError(
        `${this.schema.name}: the libtorch at hand has no argument '${argument?.key}'`,
        { op: this.schema.name },
      );
    }
    const { returns } = this.schema;
    const args = new Array<unknown>(flat.length);
    for (let i = 0; i < flat.length; i++) args[i] = toNative(flat[i]);
    const result = callNative(this.#id, args);
    if (returns.length === 1 || !Array.isArray(result)) return this.#result(result, 0, flat);
    return Array.from(result, (value: unknown, i) => this.#result(value, i, flat));
  }

  #result(value: unknown, i: number, flat: readonly unknown[]): unknown {
    const type = this.schema.returns[i];
    if (type === undefined) return value;
    // Written arguments come back as undefined: the caller gets its own object again.
    return value === undefined && type.mutated
      ? flat[this.#written[i] ?? 0]
      : fromNative(value, type);
  }

  // Arguments go by name to the libtorch at hand, which may lack those that the pinned one has.
  #bind(): void {
    const { name, overload, arguments: args } = this.schema;
    const text = native.schema(name, overload);
    const here =
      text === undefined ? [] : parseSchema(text).arguments.map((argument) => argument.name);
    if (text !== undefined)
      this.#absent = args.flatMap((argument, place) =>
        here.includes(argument.name) ? [] : [place],
      );
    const names = args.map((argument, place) =>
      this.#absent.includes(place) ? '' : argument.name,
    );
    this.#id = native.findOp(name, overload, names);
  }
}

function isOptions(value: unknown): value is Options {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Tensor) &&
    !(value instanceof Generator)
  );
}

/** An operator: its overloads in the order in which they are tried. */
export class Operator {
  readonly #texts: readonly string[];
  #overloads: readonly Overload[] | undefined;

  constructor(...schemas: readonly string[]) {
    this.#texts = schemas;
  }

  /** Calls the first overload that takes these arguments; the last one may be an object of options. */
  call(args: readonly unknown[]): unknown {
    this.#overloads ??= this.#texts.map((text) => new Overload(text));
    const last = args[args.length - 1];
    const options = isOptions(last) ? last : undefined;
    let count = options === undefined ? args.length : args.length - 1;
    while (count > 0 && args[count - 1] === undefined) count--;
    const positional = count === args.length ? args : args.slice(0, count);
    for (const overload of this.#overloads) {
      const flat = overload.arrange(positional, options);
      if (flat !== undefined) return overload.call(flat);
    }
    throw this.#refusal(positional, options);
  }

  #refusal(args: readonly unknown[], options: Options = {}): ArgumentError {
    const overloads = this.#overloads ?? [];
    const op = overloads[0]?.schema.name ?? 'operator';
    const named = Object.entries(options).map(([key, value]) => `${key}: ${describe(value)}`);
    const received = [...args.map((arg) => describe(arg)), ...named].join(', ') || 'nothing';
    const forms = overloads.map(({ schema }) => schema.text.replace(/^aten::/, '')).join('; ');
    return new ArgumentError(`${op}: no overload takes (${received}); it takes ${forms}`, {
      op,
      received,
    });
  }
}

/** Gives Tensor a method for each operator; members written by hand win. */
export function installMethods(operators: Readonly<Record<string, Operator>>): void {
  for (const [name, operator] of Object.entries(operators)) {
    if (Object.hasOwn(Tensor.prototype, name)) continue;
    const method = function (this: Tensor, ...args: unknown[]): unknown {
      return operator.call([this, ...args]);
    };
    Object.defineProperty(method, 'name', { value: name });
    Object.defineProperty(Tensor.prototype, name, {
      value: method,
      writable: true,
      configurable: true,
    });
  }
}
