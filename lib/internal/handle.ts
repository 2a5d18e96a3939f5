import { types } from 'node:util';
import type { TensorHandle } from './native';

/** Tells whether the addon gave this; which kind of handle it is, the addon checks itself. */
export function isHandle(value: unknown): value is TensorHandle {
  return types.isExternal(value);
}
