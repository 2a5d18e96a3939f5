import { inspect } from 'node:util';
import { ArgumentError } from './errors';

/** Refuses what is no function. */
export function checkFunction(where: string, value: unknown): void {
  if (typeof value === 'function') return;
  throw new ArgumentError(`${where}: expected a function, got ${inspect(value, { depth: 0 })}`);
}

/** Refuses what is neither true nor false. */
export function checkFlag(where: string, value: unknown): void {
  if (typeof value === 'boolean') return;
  throw new ArgumentError(`${where}: expected true or false, got ${inspect(value, { depth: 0 })}`);
}

/** Refuses options that are given, and neither true nor false. */
export function checkFlags(where: string, options: object, names: readonly string[]): void {
  for (const [name, value] of Object.entries(options)) {
    const given: unknown = value;
    if (given !== undefined && names.includes(name)) checkFlag(`${where}: ${name}`, given);
  }
}

/** Tells whether a value is a number, NaN among them. */
export function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

/** Tells whether a value has properties by name; a list or a function has others. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Refuses what is no object; `what` says what is expected in it. */
export function checkRecord(where: string, what: string, value: unknown): void {
  if (isRecord(value)) return;
  throw new ArgumentError(`${where}: expected ${what}, got ${inspect(value, { depth: 0 })}`);
}

/** Refuses what is no name. */
export function checkName(where: string, value: unknown): void {
  if (typeof value === 'string') return;
  throw new ArgumentError(`${where}: expected a name, got ${inspect(value, { depth: 0 })}`);
}

/** Refuses values that are given and no numbers; their names are in the error. */
export function checkNumbers(where: string, values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || isNumber(value)) continue;
    throw new ArgumentError(
      `${where}: expected ${name} to be a number, got ${inspect(value, { depth: 0 })}`,
    );
  }
}
