import { inspect } from 'node:util';
import { checkFlags, checkRecord, isNumber, isRecord } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { noGrad } from '../tensor/autograd';
import { checkTensor, type Tensor } from '../tensor/tensor';
import type { Callback, CallbackResult, GradParam, Hyper, ParamState, StatePatch } from './types';

/** The types of state values that are no tensors. */
interface Plain {
  readonly step: number;
  readonly do_wd: boolean;
  readonly force_train: boolean;
  readonly mu_product: number;
}

type ValueOf<K extends string> = K extends keyof Plain ? Plain[K] : Tensor;

/** State as a callback reads it: `Needs` is there, made by a stat before it; `May` is there or not. */
export type ReadState<Needs extends string, May extends string> = {
  readonly [K in Needs]: ValueOf<K>;
} & { readonly [K in May]?: ValueOf<K> };

/** What every callback may declare. */
export interface Declaration<H extends string = string, D extends string = string> {
  /** What errors and `explain()` call it. */
  readonly name?: string;
  /** The hyper-parameters that it reads. */
  readonly hypers?: readonly H[];
  /** Values for those that an optimizer is made without. */
  readonly defaults?: Readonly<Record<D, number>>;
}

/** What a stat declares. */
export interface StatDeclaration<
  Makes extends string = string,
  Needs extends string = string,
  H extends string = string,
  D extends string = string,
> extends Declaration<H, D> {
  /** The keys of the state that it makes; its first step finds nothing there. */
  readonly state?: readonly Makes[];
  /** Keys that it reads besides, made by stats before it. */
  readonly needs?: readonly Needs[];
}

/** What a step declares. */
export interface StepDeclaration<
  Needs extends string = string,
  May extends string = string,
  H extends string = string,
  D extends string = string,
> extends Declaration<H, D> {
  /** The keys of the state that it reads, made by stats before it. */
  readonly state?: readonly Needs[];
  /** Keys that it reads where they are: the flag `do_wd`, or what only some lists of callbacks make. */
  readonly optional?: readonly May[];
}

/** A callback with its declaration, frozen: optimizers know it by identity. */
export interface DeclaredCallback<
  Needs extends string = string,
  Makes extends string = string,
  H extends string = string,
  D extends string = string,
> {
  (p: GradParam, state: ParamState, hyper: Hyper): CallbackResult;
  readonly kind: 'stat' | 'step';
  /** All keys of the state that it declares. */
  readonly state: readonly string[];
  /** Those that must be there before it runs. */
  readonly needs: readonly Needs[];
  /** Those that are there after it has run. */
  readonly makes: readonly Makes[];
  readonly hypers: readonly H[];
  readonly defaults: Readonly<Record<D, number>>;
  /** The same for a caller that is inside `noGrad` already. */
  readonly body: Callback;
}

const declared = new WeakSet<object>();
const factories = new WeakSet<object>();

/** Tells whether `statCallback` or `stepCallback` made a callback. */
export function isDeclared(callback: Callback | DeclaredCallback): callback is DeclaredCallback {
  return declared.has(callback);
}

/** Refuses what is no callback; a factory that was not called gets a word of advice. */
export function checkCallback(value: unknown): void {
  if (typeof value !== 'function') {
    throw new ArgumentError(
      `Optimizer: expected callbacks, which are functions, got ${inspect(value, { depth: 0 })}`,
    );
  }
  if (factories.has(value)) {
    throw new ArgumentError(
      `Optimizer: expected a callback, got ${value.name}, which makes one; write ${value.name}()`,
    );
  }
}

const isText = (value: unknown): boolean => typeof value === 'string';

/** Refuses a declaration with a part of another type. */
export function checkDeclaration(where: string, declaration: Readonly<Record<string, unknown>>) {
  for (const [key, value] of Object.entries(declaration)) {
    if (value === undefined) continue;
    const [expected, fits] =
      key === 'name'
        ? ['a string', isText(value)]
        : key === 'defaults'
          ? ['an object of numbers', isRecord(value) && Object.values(value).every(isNumber)]
          : ['a list of names', Array.isArray(value) && value.every(isText)];
    if (fits) continue;
    throw new ArgumentError(
      `${where}: expected ${key} to be ${expected}, got ${inspect(value, { depth: 1 })}`,
    );
  }
}

function firstAbsent(keys: readonly string[], values: object): string | undefined {
  for (const key of keys) if (!(key in values)) return key;
  return undefined;
}

interface Keys {
  readonly needs?: readonly string[] | undefined;
  readonly makes?: readonly string[] | undefined;
  readonly optional?: readonly string[] | undefined;
}

/** Makes a callback of its declaration. */
export function declare(
  kind: 'stat' | 'step',
  { name, hypers = [], defaults = {} }: Declaration,
  { needs = [], makes = [], optional = [] }: Keys,
  run: Callback,
): DeclaredCallback {
  if (typeof run !== 'function') {
    throw new ArgumentError(
      `${kind}Callback: expected (p, state, hyper) => ..., got ${inspect(run, { depth: 0 })}`,
    );
  }
  const body: Callback = (p, values, hyper) => {
    const absent = firstAbsent(needs, values);
    if (absent === undefined) return run(p, values, hyper);
    throw new ArgumentError(
      `${callback.name}: expected state '${absent}', got none; put the stat that makes it before this callback`,
    );
  };
  const byHand: Callback = (p, values, hyper) => {
    checkTensor(callback.name, p);
    checkRecord(callback.name, 'a state', values);
    checkRecord(callback.name, 'hyper-parameters by name', hyper);
    const absent = firstAbsent(hypers, hyper);
    if (absent === undefined) return noGrad(() => body(p, values, hyper));
    throw new ArgumentError(`${callback.name}: expected hyper '${absent}', got none; pass it`);
  };
  const parts = {
    kind,
    state: Object.freeze([...needs, ...makes, ...optional]),
    needs: Object.freeze([...needs]),
    makes: Object.freeze([...makes]),
    hypers: Object.freeze([...hypers]),
    defaults: Object.freeze({ ...defaults }),
    body,
  };
  const callback = Object.assign(
    Object.defineProperty(byHand, 'name', { value: name ?? (run.name || `${kind}Callback`) }),
    parts,
  );
  declared.add(callback);
  return Object.freeze(callback);
}

/**
 * Makes a stat: a callback that keeps something in the state, such as an average of the gradient. Its first step finds
 * nothing there. The tensors of the patch that it returns are kept, those they replace are disposed.
 *
 * @param declaration the state that it makes, the state that it needs besides, and the hyper-parameters that it reads.
 * @param run `(p, state, hyper) => patch`; runs without recording for `backward`.
 * @throws UnknownOptionError when the declaration has another key.
 * @example
 * ```ts
 * const maxGrad = statCallback({ state: ['grad_max'] }, (p, { grad_max }) => ({
 *   grad_max: grad_max ? grad_max.maximum(p.grad.abs()) : p.grad.abs(),
 * }));
 * ```
 */
export function statCallback<
  const Makes extends string = never,
  const Needs extends string = never,
  const H extends string = never,
  const D extends H = never,
>(
  declaration: StatDeclaration<Makes, Needs, H, D>,
  run: (
    p: GradParam,
    state: ReadState<Needs, Makes>,
    hyper: Readonly<Record<H, number>>,
  ) => StatePatch | void,
): DeclaredCallback<Needs, Makes, H, D>;
export function statCallback(declaration: StatDeclaration, run: Callback): DeclaredCallback {
  checkOptions('statCallback', declaration, ['name', 'state', 'needs', 'hypers', 'defaults']);
  checkDeclaration('statCallback', { ...declaration });
  return declare('stat', declaration, { needs: declaration.needs, makes: declaration.state }, run);
}

/**
 * Makes a step: a callback that changes the parameter in place. The `state` that it declares must be there, made by stats
 * before it; what it declares as `optional` may be absent, such as the flag `do_wd`.
 *
 * @param declaration the state and the hyper-parameters that it reads.
 * @param run `(p, state, hyper) => void`; runs without recording for `backward`; a returned tensor is ignored.
 * @throws UnknownOptionError when the declaration has another key. The callback throws ArgumentError when state is missing.
 * @example
 * ```ts
 * const signStep = stepCallback({ hypers: ['lr'] }, (p, _state, { lr }) => p.sub_(p.grad.sign(), { alpha: lr }));
 * ```
 */
export function stepCallback<
  const Needs extends string = never,
  const May extends string = never,
  const H extends string = never,
  const D extends H = never,
>(
  declaration: StepDeclaration<Needs, May, H, D>,
  run: (
    p: GradParam,
    state: ReadState<Needs, May>,
    hyper: Readonly<Record<H, number>>,
  ) => CallbackResult,
): DeclaredCallback<Needs, never, H, D>;
export function stepCallback(declaration: StepDeclaration, run: Callback): DeclaredCallback {
  checkOptions('stepCallback', declaration, ['name', 'state', 'optional', 'hypers', 'defaults']);
  checkDeclaration('stepCallback', { ...declaration });
  const { state: needs, optional } = declaration;
  return declare('step', declaration, { needs, optional }, run);
}

/**
 * Makes a function that gives one of two callbacks by an option that is true or false, always the same two: a callback is
 * known by identity.
 */
export function callbackFactory<N extends string, C extends DeclaredCallback>(
  name: string,
  option: N,
  byDefault: boolean,
  make: (value: boolean) => C,
): (options?: { readonly [K in N]?: boolean }) => C {
  const [off, on] = [make(false), make(true)];
  const factory = (options: { readonly [K in N]?: boolean } = {}): C => {
    checkOptions(name, options, [option]);
    checkFlags(name, options, [option]);
    return (options[option] ?? byDefault) ? on : off;
  };
  factories.add(Object.defineProperty(factory, 'name', { value: name }));
  return factory;
}
