import type { Tensor } from '../tensor/tensor';

/** One batch: inputs and targets, each a tensor or several; without targets there is no loss. */
export type Batch = readonly [x: Tensor | readonly Tensor[], y?: Tensor | readonly Tensor[]];

/** Gives the batches of one epoch each time it is iterated, and knows how many those are. */
export type Loader = (Iterable<Batch> | AsyncIterable<Batch>) & { readonly length: number };

/** What a learner trains on, and what it measures itself on, if anything. */
export interface DataLoaders {
  readonly train: Loader;
  readonly valid?: Loader;
}
