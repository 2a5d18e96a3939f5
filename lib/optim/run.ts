import { native } from '../internal/binding';
import { ArgumentError } from '../internal/errors';
import type { Scope } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';
import { narrowState, widenedState, type StateStorage } from './narrow-state';
import { mergePatch, type StateMap } from './state';
import type { Callback, GradParam, Hyper } from './types';
import { narrowWeight, widenWeight } from './wide-weights';

/** What one step of the callback path works on. */
export interface Run {
  readonly paramLists: readonly (readonly Tensor[])[];
  /** One for each group. */
  readonly hypers: readonly Hyper[];
  readonly states: StateMap;
  /** Groups before this one are frozen. */
  readonly frozenIdx: number;
  readonly bodies: readonly Callback[];
  /** Owns what the callbacks make and do not return; it is emptied after each parameter, so that caches stay warm. */
  readonly scope: Scope;
  readonly storage: StateStorage;
}

const none = 0;
const dense = 1;

/** Refuses gradients that no callback can take, before anything is changed. */
export function checkGradients({
  paramLists,
  states,
  frozenIdx,
}: Pick<Run, 'paramLists' | 'states' | 'frozenIdx'>): void {
  paramLists.forEach((group, index) => {
    for (const p of group) if (index >= frozenIdx || states.get(p).force_train) hasGradient(p);
  });
}

// Averages of a sparse gradient would be dense, and decay what it doesn't name.
function hasGradient(p: Tensor): p is GradParam {
  const kind = native.gradientKind(Tensor.handleOf(p));
  if (kind === none || kind === dense) return kind === dense;
  throw new ArgumentError(
    `step: expected dense gradients, got a sparse one for a parameter of shape [${p.shape.join(', ')}]; use operators without sparse gradients, or SGD of torchOptim`,
  );
}

/**
 * Runs all callbacks on the first parameter, then all on the second, and so on. Each sees what those before it stored.
 * A parameter is left out when it has no gradient, or is frozen without `force_train`.
 */
export function runCallbacks(run: Run): void {
  const { paramLists, hypers, states, frozenIdx, bodies, scope, storage } = run;
  const narrow = storage.dtype === 'bfloat16';
  paramLists.forEach((group, index) => {
    const hyper = hypers[index] ?? {};
    const frozen = index < frozenIdx;
    for (const p of group) {
      const state = states.get(p);
      if ((frozen && !state.force_train) || !hasGradient(p)) continue;
      const wide = narrow ? widenedState(p, state, storage) : state;
      const stored = widenWeight(p);
      try {
        for (const body of bodies) mergePatch(p, wide, body(p, wide, hyper));
      } finally {
        if (narrow) narrowState(p, state, wide, storage);
        if (stored) narrowWeight(p, stored);
      }
      scope.dispose();
    }
  });
}
