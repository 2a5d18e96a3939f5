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

type Hypers<C> = C extends { readonly hypers: readonly (infer H extends string)[] } ? H : string;
type Known<C> = C extends { readonly hypers: readonly (infer H extends string)[] } ? H : never;
type Defaults<C> = C extends { readonly defaults: infer D } ? keyof D : never;

// A callback whose keys were forgotten (`DeclaredCallback` alone) needs nothing that could be checked.
type Needs<C> = C extends { readonly needs: readonly (infer K extends string)[] }
  ? string extends K
    ? never
    : K
  : never;
type Makes<C> = C extends { readonly makes: readonly (infer K extends string)[] } ? K : string;

/** The names of the hyper-parameters that some callback reads. */
export type HypersOf<Cbs> = Hypers<Each<Cbs>>;

type Required<Cbs> =
  string extends Known<Each<Cbs>> ? never : Exclude<Known<Each<Cbs>>, Defaults<Each<Cbs>>>;

/** Values of hyper-parameters by name. */
export type HyperValuesOf<H extends string> = { readonly [K in H]?: HyperValue };

/** The values that a list of callbacks needs (those without a default), and those that it takes besides. */
export type HypersFor<Cbs> = { readonly [K in Required<Cbs>]: HyperValue } & HyperValuesOf<
  HypersOf<Cbs>
>;

/** The arguments of `new Optimizer` after the callbacks: hyper-parameters may be left out where all have a default. */
export type OptimizerRest<Cbs> = [Required<Cbs>] extends [never]
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
