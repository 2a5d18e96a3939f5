import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { noGrad } from '../tensor/autograd';
import type { Tensor } from '../tensor/tensor';
import type { Callback, CallbackResult, GradParam, Hyper, ParamState, StatePatch } from './types';

type Flag = 'do_wd' | 'force_train';

/** The types of state values that are no tensors. */
interface Plain {
  readonly step: number;
  readonly do_wd: boolean;
  readonly force_train: boolean;
}

type ValueOf<K extends string> = K extends keyof Plain ? Plain[K] : Tensor;

/** The state as a stat reads it: before its first step there is nothing. */
export type StatState<S extends string> = { readonly [K in S]?: ValueOf<K> };

/** The state as a step reads it: all that it declares is there, but the flags, which are users' to set. */
export type StepState<S extends string> = {
  readonly [K in Exclude<S, Flag>]: ValueOf<K>;
} & StatState<S & Flag>;

/** What a callback declares. */
export interface Declaration<S extends string = string, H extends string = string> {
  /** What errors and `explain()` call it. */
  readonly name?: string;
  /** The keys of the state that it reads; a stat also writes them. */
  readonly state?: readonly S[];
  /** The hyper-parameters that it reads. */
  readonly hypers?: readonly H[];
  /** Values for those that an optimizer is made without. */
  readonly defaults?: { readonly [K in NoInfer<H>]?: number };
}

/** A callback with its declaration, frozen: optimizers know it by identity. */
export interface DeclaredCallback<S extends string = string, H extends string = string> {
  (p: GradParam, state: ParamState, hyper: Hyper): CallbackResult;
  readonly kind: 'stat' | 'step';
  readonly state: readonly S[];
  readonly hypers: readonly H[];
  readonly defaults: Readonly<Record<string, number>>;
  /** The same for a caller that is inside `noGrad` already. */
  readonly body: Callback;
}

const declared = new WeakSet<object>();
const factories = new WeakSet<object>();
const declarationNames = ['name', 'state', 'hypers', 'defaults'];

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

function firstAbsent(keys: readonly string[], values: object): string | undefined {
  for (const key of keys) if (!(key in values)) return key;
  return undefined;
}

function define(kind: 'stat' | 'step', declaration: Declaration, run: Callback): DeclaredCallback {
  const where = `${kind}Callback`;
  checkOptions(where, declaration, declarationNames);
  if (typeof run !== 'function') {
    throw new ArgumentError(
      `${where}: expected (p, state, hyper) => ..., got ${inspect(run, { depth: 0 })}`,
    );
  }
  const { name = run.name || where, state = [], hypers = [], defaults = {} } = declaration;
  const needed =
    kind === 'step' ? state.filter((key) => key !== 'do_wd' && key !== 'force_train') : [];

  const body: Callback = (p, values, hyper) => {
    const absent = firstAbsent(needed, values);
    if (absent === undefined) return run(p, values, hyper);
    throw new ArgumentError(
      `${name}: expected state '${absent}', got none; put the stat that makes it before this callback`,
    );
  };
  const byHand: Callback = (p, values, hyper) => {
    const absent = firstAbsent(hypers, hyper);
    if (absent === undefined) return noGrad(() => body(p, values, hyper));
    throw new ArgumentError(`${name}: expected hyper '${absent}', got none; pass it`);
  };
  const parts = {
    kind,
    state: Object.freeze([...state]),
    hypers: Object.freeze([...hypers]),
    defaults: Object.freeze({ ...defaults }),
    body,
  };
  const callback = Object.assign(Object.defineProperty(byHand, 'name', { value: name }), parts);
  declared.add(callback);
  return Object.freeze(callback);
}

/**
 * Makes a stat: a callback that keeps something in the state, such as an average of the gradient. Its first step finds
 * nothing there. The tensors of the patch that it returns are kept, those they replace are disposed.
 *
 * @param declaration the state that it reads and writes, and the hyper-parameters that it reads.
 * @param run `(p, state, hyper) => patch`; runs without recording for `backward`.
 * @throws UnknownOptionError when the declaration has another key.
 * @example
 * ```ts
 * const maxGrad = statCallback({ state: ['grad_max'] }, (p, { grad_max }) => ({
 *   grad_max: grad_max ? grad_max.maximum(p.grad.abs()) : p.grad.abs(),
 * }));
 * ```
 */
export function statCallback<const S extends string = never, const H extends string = never>(
  declaration: Declaration<S, H>,
  run: (p: GradParam, state: StatState<S>, hyper: Readonly<Record<H, number>>) => StatePatch | void,
): DeclaredCallback<S, H>;
export function statCallback(declaration: Declaration, run: Callback): DeclaredCallback {
  return define('stat', declaration, run);
}

/**
 * Makes a step: a callback that changes the parameter in place. All the state that it declares must be there, made by a
 * stat before it; the flags `do_wd` and `force_train` may be absent.
 *
 * @param declaration the state and the hyper-parameters that it reads.
 * @param run `(p, state, hyper) => void`; runs without recording for `backward`; a returned tensor is ignored.
 * @throws UnknownOptionError when the declaration has another key. The callback throws ArgumentError when state is missing.
 * @example
 * ```ts
 * const signStep = stepCallback({ hypers: ['lr'] }, (p, _state, { lr }) => p.sub_(p.grad.sign(), { alpha: lr }));
 * ```
 */
export function stepCallback<const S extends string = never, const H extends string = never>(
  declaration: Declaration<S, H>,
  run: (p: GradParam, state: StepState<S>, hyper: Readonly<Record<H, number>>) => CallbackResult,
): DeclaredCallback<S, H>;
export function stepCallback(declaration: Declaration, run: Callback): DeclaredCallback {
  return define('step', declaration, run);
}

/** The option of `averageGrad` and `averageSqrGrad`. */
export interface DampeningOptions {
  /** Multiplies the new value by one minus the momentum, so that the result is an average. */
  readonly dampening?: boolean;
}

/** Makes a function that gives one of two callbacks by its `dampening` option, always the same ones. */
export function dampingFactory<C extends DeclaredCallback>(
  name: string,
  byDefault: boolean,
  make: (dampening: boolean) => C,
): (options?: DampeningOptions) => C {
  const [plain, damped] = [make(false), make(true)];
  const factory = (options: DampeningOptions = {}): C => {
    checkOptions(name, options, ['dampening']);
    return (options.dampening ?? byDefault) ? damped : plain;
  };
  factories.add(Object.defineProperty(factory, 'name', { value: name }));
  return factory;
}
