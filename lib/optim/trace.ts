import { inspect, isDeepStrictEqual } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { Tensor } from '../tensor/tensor';
import { formatTable } from './summary';
import type { Callback, GradParam, Hyper, ParamState } from './types';

/** A copy of a value: a tensor as nested arrays, everything else as it was. */
export type TraceValue = unknown;

/** Copies of values by their names. */
export type TraceValues = Readonly<Record<string, TraceValue>>;

/** What one callback did to one parameter. */
export interface TracedCallback {
  readonly name: string;
  /** The hyper-parameters and the state that it read, as they were before it; undefined for state that wasn't there. */
  readonly read: TraceValues;
  /** What was otherwise after it: `p`, `p.grad` and state by its keys. */
  readonly changed: Readonly<
    Record<string, { readonly before: TraceValue; readonly after: TraceValue }>
  >;
  /** Its patch of the state; undefined where it returned none. */
  readonly returned: TraceValues | undefined;
}

function copy(value: unknown): TraceValue {
  return value instanceof Tensor ? value.toArray() : value;
}

function copies(values: Readonly<Record<string, unknown>>): Record<string, TraceValue> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, copy(value)]));
}

function isPatch(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !(value instanceof Tensor);
}

// Notes each value that is read, when it is read for the first time.
function spy<T extends ParamState | Hyper>(values: T, read: Record<string, TraceValue>): T {
  return new Proxy(values, {
    get(target, key, receiver) {
      const value: unknown = Reflect.get(target, key, receiver);
      if (typeof key === 'string' && !(key in read)) read[key] = copy(value);
      return value;
    },
  });
}

function snapshot(
  p: GradParam,
  state: Readonly<Record<string, unknown>>,
): Record<string, TraceValue> {
  return { p: p.toArray(), 'p.grad': p.grad.toArray(), ...copies(state) };
}

/**
 * What one step did to one parameter, callback by callback; `opt.traceStep(p)` makes it. Printed, it is a table.
 */
export class StepTrace {
  /** The callbacks in the order in which they ran; none when the step left the parameter out. */
  readonly callbacks: readonly TracedCallback[];
  readonly #callbacks: TracedCallback[] = [];
  readonly #p: Tensor;

  /** @internal Made by `opt.traceStep`. */
  constructor(p: Tensor) {
    this.#p = p;
    this.callbacks = this.#callbacks;
  }

  /** @internal Returns a callback that does what `body` does, and notes it for the one parameter. */
  watch(name: string, body: Callback): Callback {
    return (p, state, hyper) => {
      if (p !== this.#p) return body(p, state, hyper);
      const read: Record<string, TraceValue> = {};
      const before = snapshot(p, state);
      const result = body(p, spy(state, read), spy(hyper, read));
      const patch = isPatch(result) ? result : undefined;
      const after = snapshot(p, { ...state, ...patch });
      const changed = Object.keys({ ...before, ...after })
        .filter((key) => !isDeepStrictEqual(before[key], after[key]))
        .map((key) => [key, { before: before[key], after: after[key] }] as const);
      this.#callbacks.push({
        name,
        read,
        changed: Object.fromEntries(changed),
        returned: patch && copies(patch),
      });
      return result;
    };
  }

  /** Writes the trace as a table: for each callback what it reads, changes and returns, before and after. */
  toString(): string {
    if (this.#callbacks.length === 0)
      return 'the step left this parameter out: it has no gradient, or is frozen';
    const rows = this.#callbacks.flatMap(rowsOf);
    return formatTable([['callback', '', 'value', 'before', 'after'], ...rows], 'left');
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}

function rowsOf({ name, read, changed, returned = {} }: TracedCallback): string[][] {
  const reads = Object.entries(read).map(([key, value]) => ['reads', key, format(value)]);
  const changes = Object.entries(changed).map(([key, { before, after }]) => [
    key in returned ? 'returns' : 'changes',
    key,
    format(before),
    format(after),
  ]);
  const same = Object.entries(returned)
    .filter(([key]) => !(key in changed))
    .map(([key, value]) => ['returns', key, format(value), format(value)]);
  const rows = [...reads, ...changes, ...same];
  return rows.length === 0 ? [[name]] : rows.map((row, i) => [i === 0 ? name : '', ...row]);
}

const longest = 6;

function formatNumber(value: unknown): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(6))) : String(value);
}

function flatten(value: unknown): unknown[] {
  return Array.isArray(value) ? value.flatMap(flatten) : [value];
}

function format(value: TraceValue): string {
  if (value === undefined) return 'nothing';
  if (!Array.isArray(value)) return formatNumber(value);
  const flat = flatten(value);
  const shown = flat.slice(0, longest).map(formatNumber);
  const more = flat.length > longest ? [`... ${flat.length - longest} more`] : [];
  return `[${[...shown, ...more].join(', ')}]`;
}

/** Refuses what an optimizer can't trace. */
export function checkTraced(p: unknown, params: readonly Tensor[]): asserts p is Tensor {
  if (p instanceof Tensor && params.includes(p)) return;
  throw new ArgumentError(
    `traceStep: expected one of the optimizer's ${params.length} parameters, got ${inspect(p, { depth: 0 })}`,
  );
}
