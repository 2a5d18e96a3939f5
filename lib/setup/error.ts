import { TorchError } from '../internal/errors';

/** The set-up can't go on: the message is one sentence for the user, and there is nothing to debug. */
export class SetupError extends TorchError {
  override readonly name = 'SetupError';
  constructor(message: string) {
    super(message, 'ERR_TORCH_SETUP');
  }
}
