import { loadAddon } from './load';
import { toTorchError } from './errors';
import type { Native } from './native';

type AnyFunction = (...args: unknown[]) => unknown;

// Errors of the addon belong to the realm that loaded it: every function gives them in our own classes instead.
function translated(raw: Record<string, AnyFunction>): Native {
  const table: Record<string, AnyFunction> = {};
  for (const [name, call] of Object.entries(raw)) {
    table[name] = (...args) => {
      try {
        return call(...args);
      } catch (error) {
        throw toTorchError(error);
      }
    };
  }
  return table as unknown as Native;
}

const raw = loadAddon() as Record<string, AnyFunction>;

/** The addon's functions; errors come as TorchErrors. */
export const native: Native = translated(raw);

const { callOp } = raw as unknown as Native;

/** Calls a prepared operator with its arguments in order; flat calls are twice as fast as spread ones. */
export function callNative(id: number, args: readonly unknown[]): unknown {
  try {
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
  } catch (error) {
    throw toTorchError(error);
  }
}
