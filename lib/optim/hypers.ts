import { inspect } from 'node:util';
import { isNumber } from '../internal/check';
import { ArgumentError, UnknownOptionError } from '../internal/errors';
import { isDeclared, type DeclaredCallback } from './callback';
import { isIterable } from './iterable';
import { evenMults, Slice } from './slice';
import type { Callback, HyperValue } from './types';

type AnyCallback = Callback | DeclaredCallback;

/** What people write who come from PyTorch, and what it is called here. */
export const hyperHints: Readonly<Record<string, string>> = {
  learningRate: 'lr',
  learning_rate: 'lr',
  lrMax: 'lr',
  momentum: 'mom',
  betas: 'mom, sqr_mom',
  beta1: 'mom',
  beta2: 'sqr_mom',
  alpha: 'sqr_mom',
  sqrMom: 'sqr_mom',
  epsilon: 'eps',
  weightDecay: 'wd',
  weight_decay: 'wd',
  decoupleWd: 'decouple_wd',
  decoupled_weight_decay: 'decouple_wd',
  momentumDecay: 'momentum_decay',
  nu1: 'nu_1',
  nu2: 'nu_2',
  nus: 'nu_1, nu_2',
  diffMom: 'diff_mom',
  trustCoeff: 'trust_coeff',
  trust_coefficient: 'trust_coeff',
};

// Lists one or several numbers.
function listed(given: unknown): number[] | undefined {
  const values: unknown[] = isIterable(given) ? [...given] : [given];
  return values.every(isNumber) && !values.some(Number.isNaN) ? values : undefined;
}

function notNumbers(where: string, value: unknown): ArgumentError {
  const got = inspect(value, { depth: 0 });
  return new ArgumentError(`${where}: expected a number, numbers or a slice, got ${got}`);
}

/** Refuses what is no value of a hyper-parameter, however many groups there are. */
export function checkHyperValue(where: string, value: unknown): void {
  if (!(value instanceof Slice) && !listed(value)) throw notNumbers(where, value);
}

/** Gives each of `groups` groups its value of one hyper-parameter. */
export function spreadHyper(name: string, value: HyperValue, groups: number): number[] {
  const values = listed(value instanceof Slice ? spreadSlice(value, groups) : value);
  if (!values) throw notNumbers(`setHyper('${name}')`, value);
  const [only] = values;
  if (values.length === 1 && only !== undefined) return new Array<number>(groups).fill(only);
  if (values.length === groups) return values;
  throw new ArgumentError(
    `setHyper('${name}'): got ${values.length} values for ${groups} parameter groups; give one for all, or one for each`,
  );
}

function spreadSlice({ start, stop }: Slice, groups: number): number[] {
  if (start) return evenMults(start, stop, groups);
  return Array.from({ length: groups }, (_, i) => (i < groups - 1 ? stop / 10 : stop));
}

/** Collects the defaults of all callbacks; of two for one name, the later counts. */
export function defaultsOf(cbs: readonly AnyCallback[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const { defaults } of cbs) Object.assign(all, defaults);
  return all;
}

/** Returns the names of the hyper-parameters that a list of callbacks is known to read. */
export function hyperNames(cbs: readonly AnyCallback[]): string[] {
  return [
    ...new Set(
      cbs.flatMap((cb) => [
        ...Object.keys(cb.defaults ?? {}),
        ...(isDeclared(cb) ? cb.hypers : []),
      ]),
    ),
  ];
}

/** Tells whether some callback may read a hyper-parameter: a plain function declares none, and may read any. */
export function mayRead(cbs: readonly AnyCallback[], name: string): boolean {
  return cbs.some((cb) => !isDeclared(cb)) || hyperNames(cbs).includes(name);
}

/** Refuses a hyper-parameter that no callback reads. */
export function checkHyperName(where: string, name: string, cbs: readonly AnyCallback[]): void {
  if (mayRead(cbs, name)) return;
  const hint = hyperHints[name] ? ` (did you mean '${hyperHints[name]}'?)` : '';
  throw new UnknownOptionError(
    `${where}: no callback reads '${name}'${hint}; this optimizer has ${hyperNames(cbs).join(', ') || 'no hypers'}`,
    { op: where },
  );
}

/** Refuses callbacks whose hyper-parameters nobody gave. */
export function checkHypersGiven(where: string, cbs: readonly AnyCallback[], given: object): void {
  for (const cb of cbs) {
    const missing = isDeclared(cb) ? cb.hypers.find((name) => !(name in given)) : undefined;
    if (missing !== undefined) {
      throw new ArgumentError(
        `${where}: expected '${missing}', which ${cb.name} reads and has no default for; pass { ${missing}: ... }`,
      );
    }
  }
}
