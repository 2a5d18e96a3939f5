// What the compiler knows of an optimizer from its callbacks. A plain function among them declares nothing: it may read any
// hyper-parameter and make any state.
import type { DeclaredCallback } from './callback';
import type { OptimizerOptions } from './options';
import type { Callback, HyperValue } from './types';

/** A callback of either kind: declared, or a plain function. */
export type AnyCallback = Callback | DeclaredCallback;

/** One callback, or several, as an optimizer takes them. */
export type Callbacks = AnyCallback | Iterable<AnyCallback>;

type Each<Cbs> = Cbs extends Iterable<infer C> ? C : Cbs;

/** The names that a callback lists under `Key`; `Else` for a plain function, which lists none. */
type Names<C, Key extends string, Else> = C extends {
  readonly [K in Key]: readonly (infer Name extends string)[];
}
  ? Name
  : Else;

/** Names where they are known: a callback typed as `DeclaredCallback` alone has forgotten them. */
type Known<Name> = string extends Name ? never : Name;

type Needs<C> = Known<Names<C, 'needs', never>>;
type Makes<C> = Names<C, 'makes', string>;
type Defaults<C> = C extends { readonly defaults: infer D } ? keyof D : never;

/** The names of the hyper-parameters that some callback reads. */
export type HypersOf<Cbs> = Names<Each<Cbs>, 'hypers', string>;

type RequiredHypers<Cbs> = Exclude<Known<Names<Each<Cbs>, 'hypers', never>>, Defaults<Each<Cbs>>>;

/** Values of hyper-parameters by name. */
export type HyperValuesOf<H extends string> = { readonly [K in H]?: HyperValue };

/** The values that a list of callbacks needs (those without a default), and those that it takes besides. */
export type HypersFor<Cbs> = HyperValuesOf<HypersOf<Cbs>> & {
  readonly [K in RequiredHypers<Cbs>]: HyperValue;
};

/** The arguments of `new Optimizer` after the callbacks: hyper-parameters may be left out where all have a default. */
export type OptimizerRest<Cbs> = [RequiredHypers<Cbs>] extends [never]
  ? [hypers?: HypersFor<Cbs>, options?: OptimizerOptions]
  : [hypers: HypersFor<Cbs>, options?: OptimizerOptions];

/** The state that a callback needs and that none before it makes. Of a list without an order: that none makes at all. */
type MissingState<Cbs, Made = never> = Cbs extends readonly [infer First, ...infer Rest]
  ? Exclude<Needs<First>, Made> | MissingState<Rest, Made | Makes<First>>
  : Cbs extends readonly []
    ? never
    : Exclude<Needs<Each<Cbs>>, Made | Makes<Each<Cbs>>>;

/** Refuses a list of callbacks in which one needs state that none before it makes. */
export type WithState<Cbs> = [MissingState<Cbs>] extends [never]
  ? Cbs
  : { readonly 'state that no callback before makes': MissingState<Cbs> };
