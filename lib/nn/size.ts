/** A size for both (all) dimensions, or one for each. */
export type Size = number | readonly number[];
