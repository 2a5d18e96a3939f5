import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { noGrad } from '../tensor/autograd';
import { Tensor } from '../tensor/tensor';

/** Parameters and buffers by their dotted names. */
export type StateDict = Readonly<Record<string, Tensor>>;

/** The options of `loadStateDict`. */
export interface LoadOptions {
  /** Refuses missing and unexpected names; true where it isn't given. */
  readonly strict?: boolean;
}

/** The names that didn't match. */
export interface LoadResult {
  readonly missingKeys: string[];
  readonly unexpectedKeys: string[];
}

function list(title: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `\n  ${title}: ${names.join(', ')}`;
}

/** Copies `state` into `entries` by name, all or nothing. */
export function copyInto(
  entries: readonly [string, Tensor][],
  state: StateDict | null,
  options: LoadOptions,
): LoadResult {
  checkOptions('loadStateDict', options, ['strict']);
  if (typeof state !== 'object' || state === null) {
    throw new ArgumentError(`loadStateDict: expected tensors by name, got ${inspect(state)}`);
  }
  const { strict = true } = options;
  const names = new Set(entries.map(([name]) => name));
  const missingKeys = [...names].filter((name) => !Object.hasOwn(state, name));
  const unexpectedKeys = Object.keys(state).filter((name) => !names.has(name));
  const pairs = entries.flatMap(([name, value]) => {
    const source = state[name];
    return source === undefined ? [] : [{ name, value, source }];
  });
  const misfits = pairs
    .filter(
      ({ value, source }) =>
        !(source instanceof Tensor) || source.shape.join() !== value.shape.join(),
    )
    .map(
      ({ name, value, source }) =>
        `${name} (expected [${value.shape.join(', ')}], got ${source instanceof Tensor ? `[${source.shape.join(', ')}]` : typeof source})`,
    );
  if (misfits.length > 0 || (strict && missingKeys.length + unexpectedKeys.length > 0)) {
    throw new ArgumentError(
      `loadStateDict: expected the ${names.size} names and shapes of this module${list('missing', missingKeys)}${list('unexpected', unexpectedKeys)}${list('misfits', misfits)}`,
    );
  }
  noGrad(() => {
    for (const { value, source } of pairs) value.copy_(source);
  });
  return { missingKeys, unexpectedKeys };
}
