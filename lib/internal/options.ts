import { inspect } from 'node:util';
import { ArgumentError, UnknownOptionError } from './errors';

/** Refuses options whose name is not in `known`; `hints` names the right one where people often mean another. */
export function checkOptions(
  where: string,
  options: unknown,
  known: readonly string[],
  hints: Readonly<Record<string, string>> = {},
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ArgumentError(
      `${where}: expected an object of options, got ${inspect(options, { depth: 0 })}`,
    );
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const hint = hints[key] ? ` (did you mean '${hints[key]}'?)` : '';
    throw new UnknownOptionError(
      `${where}: unknown option '${key}'${hint}; it takes ${known.join(', ') || 'none'}`,
      { op: where },
    );
  }
}
