import { types } from 'node:util';
import { TorchError } from '../internal/errors';

/** The set-up can't go on: the message is one sentence for the user, and there is nothing to debug. */
export class SetupError extends TorchError {
  override readonly name = 'SetupError';
  constructor(message: string) {
    super(message, 'ERR_TORCH_SETUP');
  }
}

/** Returns the error to throw where one that the system gave, as of a full disk, would come: with what to do in its message. */
export function explainSystemError(error: unknown, folders: readonly string[]): unknown {
  if (!(types.isNativeError(error) && 'syscall' in error)) return error;
  return new SetupError(
    `The set-up was stopped by the system (${error.message}): it must be able to write, and have room, in ${folders.join(' and ')}`,
  );
}
