import type { Tensor } from '../tensor/tensor';
import type { Slice } from './slice';

/** A parameter with its gradient, as a callback gets it. */
export type GradParam = Tensor & { readonly grad: Tensor };

/** The hyper-parameters of one group by fastai's names: `lr`, `mom`, `sqr_mom`, `eps`, `wd`, ... */
export type Hyper = Record<string, number>;

/** What sets one hyper-parameter: a number for all groups, one number for each, or a slice over them. */
export type HyperValue = number | Iterable<number> | Slice;

/** Hyper-parameters by name, as `new Optimizer` and `setHypers` take them. */
export type HyperValues = Readonly<Record<string, HyperValue>>;

/** What an optimizer knows about one parameter: what its callbacks stored there, and two flags. */
export interface ParamState {
  /** How many steps the parameter has taken; from `stepStat`. */
  step?: number;
  /** The moving average of the gradient, of the parameter's shape; from `averageGrad`. */
  grad_avg?: Tensor;
  /** The moving average of the squared gradient, of the parameter's shape; from `averageSqrGrad`. */
  sqr_avg?: Tensor;
  /** The slow weights, of the parameter's shape; from `Lookahead`. */
  slow_weights?: Tensor;
  /** How many steps `Lookahead` has counted. */
  count?: number;
  /** Weight decay leaves the parameter alone when this is false. */
  do_wd?: boolean;
  /** The parameter is trained also in a frozen group. */
  force_train?: boolean;
  [key: string]: unknown;
}

/** What a callback wants to be different in the state from now on. */
export type StatePatch = Readonly<Record<string, unknown>>;

/** What a callback may return: a patch, or nothing of interest (a returned tensor is ignored). */
export type CallbackResult = StatePatch | Tensor | void;

/**
 * One part of an optimizer: it changes the parameter in place, or returns new values for its state. Any such function
 * will do; `statCallback` and `stepCallback` make one that declares what it reads.
 */
export type Callback = CallbackFunction & {
  /** Values for hyper-parameters that the optimizer is made without. */
  readonly defaults?: Readonly<Record<string, number>>;
};

// A method's parameters may be narrowed: a plain callback can say which state it expects.
type CallbackFunction = {
  call(p: GradParam, state: ParamState, hyper: Hyper): CallbackResult;
}['call'];
