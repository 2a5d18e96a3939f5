import { inspect } from 'node:util';
import { isRecord } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { Tensor } from '../tensor/tensor';
import type { OptimizerStateDict } from './state-dict';
import type { Hyper, ParamState } from './types';

/**
 * The `state_dict` of a fastai optimizer: the state of each parameter in the order of the groups, and the hyper-parameters
 * of each group, all by fastai's names.
 */
export interface FastaiStateDict {
  readonly state: readonly Readonly<Record<string, unknown>>[];
  readonly hypers: readonly Readonly<Record<string, unknown>>[];
}

/** Leaves out what fastai doesn't know. */
export function toFastai({ state, hypers }: OptimizerStateDict): FastaiStateDict {
  return { state, hypers };
}

function records(what: string, value: unknown): Readonly<Record<string, unknown>>[] {
  if (Array.isArray(value)) {
    const list: unknown[] = value;
    if (list.every(isRecord)) return list;
  }
  throw new ArgumentError(
    `fromFastai: expected '${what}' to be a list of objects, as in { state: [...], hypers: [...] }, got ${inspect(value, { depth: 0 })}`,
  );
}

// Python's whole numbers may come as bigints, its None as null.
function stateOf(source: Readonly<Record<string, unknown>>): ParamState {
  return Object.fromEntries(
    Object.entries(source)
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([key, value]) => [key, typeof value === 'bigint' ? Number(value) : value]),
  );
}

function numberOf(name: string, value: unknown): number {
  const plain: unknown = value instanceof Tensor && value.numel === 1 ? value.item() : value;
  if (typeof plain === 'number' || typeof plain === 'bigint') return Number(plain);
  throw new ArgumentError(
    `fromFastai: expected a number as the hyper '${name}', got ${inspect(value, { depth: 0 })}`,
  );
}

/** Reads fastai's layout; hyper-parameters that `isRead` refuses are left out, as fastai keeps some that nothing reads. */
export function fromFastai(
  dict: FastaiStateDict,
  isRead: (name: string) => boolean,
): OptimizerStateDict {
  if (!isRecord(dict)) {
    throw new ArgumentError(
      `fromFastai: expected { state: [...], hypers: [...] }, got ${inspect(dict, { depth: 0 })}`,
    );
  }
  return {
    state: records('state', dict.state).map(stateOf),
    hypers: records('hypers', dict.hypers).map((hyper): Hyper =>
      Object.fromEntries(
        Object.entries(hyper)
          .filter(([name]) => isRead(name))
          .map(([name, value]) => [name, numberOf(name, value)]),
      ),
    ),
  };
}
