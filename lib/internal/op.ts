import { callNative, native } from './binding';

/** Prepares a call of one overload by its raw name for the hand-written code: arguments come in the order of `names`. */
export function rawOp(name: string, overload: string, names: readonly string[]): (...args: readonly unknown[]) => unknown {
  let id = -1;
  return (...args) => {
    if (id < 0) id = native.findOp(name, overload, names);
    return callNative(id, args);
  };
}
