import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { Callback } from './callback';
import { listOf, type OneOrMore } from './options';

/** Callbacks to take away: these, or all of a class. */
export type WhichCallbacks = OneOrMore<Callback> | (abstract new (...args: never[]) => Callback);

/** Adds callbacks to a list: all of them, or none where one is refused. */
export function addCallbacks(list: Callback[], added: readonly Callback[]): void {
  for (const [i, cb] of added.entries()) {
    if (!(cb instanceof Callback)) {
      throw new ArgumentError(
        `addCb: expected a Callback, got ${inspect(cb, { depth: 0 })}; make one with new`,
      );
    }
    if (list.includes(cb) || added.indexOf(cb) < i)
      throw new ArgumentError(`addCb: expected a new callback, got one that was added before`);
  }
  list.push(...added);
}

/** Takes callbacks out of a list. */
export function removeCallbacks(list: Callback[], which: WhichCallbacks): void {
  if (typeof which === 'function' && which !== Callback && !(which.prototype instanceof Callback)) {
    throw new ArgumentError(
      `removeCb: expected callbacks or a class of them, got ${inspect(which, { depth: 0 })}`,
    );
  }
  const gone =
    typeof which === 'function' ? list.filter((cb) => cb instanceof which) : listOf(which);
  list.splice(0, Infinity, ...list.filter((cb) => !gone.includes(cb)));
}
