import { loadAddon } from './load';
import { toTorchError } from './errors';
import type { Native } from './native';
import { collectGarbage, isOutOfMemory, outOfMemoryError } from './out-of-memory';
import { warn } from './warnings';

type AnyFunction = (...args: unknown[]) => unknown;

// Those, besides operators, that may be called a second time after they failed half-way: they change nothing.
const repeatable = ['fromData', 'copyOut', 'item'];

// Errors of the addon belong to the realm that loaded it: every function gives them in our own classes instead.
function translated(raw: Record<string, AnyFunction>): Native {
  const table: Record<string, AnyFunction> = {};
  for (const [name, call] of Object.entries(raw)) {
    const isRepeatable = repeatable.includes(name);
    table[name] = (...args) => {
      try {
        return call(...args);
      } catch (error) {
        return recover(error, isRepeatable ? () => call(...args) : undefined);
      }
    };
  }
  return table as unknown as Native;
}

// Where memory has run out, the garbage collector makes room first: for `again`, or for the caller to go on with less.
function recover(error: unknown, again?: () => unknown): unknown {
  const asked = raw as unknown as Native; // its own failures must not come here again
  if (!isOutOfMemory(error)) throw toTorchError(error);
  collectGarbage();
  if (!again) throw outOfMemoryError(error, asked);
  try {
    return again();
  } catch (second) {
    throw isOutOfMemory(second) ? outOfMemoryError(second, asked) : toTorchError(second);
  }
}

const raw = loadAddon() as Record<string, AnyFunction>;

/** The addon's functions; errors come as TorchErrors. */
export const native: Native = translated(raw);
native.onWarning(warn);

const { callOp } = raw as unknown as Native;

// Flat calls are twice as fast as spread ones.
function callFlat(id: number, args: readonly unknown[]): unknown {
  switch (args.length) {
    case 1:
      return callOp(id, args[0]);
    case 2:
      return callOp(id, args[0], args[1]);
    case 3:
      return callOp(id, args[0], args[1], args[2]);
    case 4:
      return callOp(id, args[0], args[1], args[2], args[3]);
    default:
      return callOp(id, ...args);
  }
}

/**
 * Calls a prepared operator with its arguments in order. One that found no memory is called again after a garbage
 * collection, unless it changes an argument, which may have happened already.
 */
export function callNative(id: number, args: readonly unknown[]): unknown {
  try {
    return callFlat(id, args);
  } catch (error) {
    const isRepeatable = isOutOfMemory(error) && !native.opWrites(id);
    return recover(error, isRepeatable ? () => callFlat(id, args) : undefined);
  }
}
