/** What an error of this package carries besides its message. */
export interface TorchErrorDetails {
  /** The operator or function that refused, such as `add.Tensor`. */
  readonly op?: string;
  /** What came, such as `self float32[2, 3], other int64[4]`. */
  readonly received?: string;
  /** The error beneath, such as libtorch's own text with its backtrace. */
  readonly cause?: unknown;
}

/** The base of all errors that this package throws: `code` is stable, `message` says what to do. */
export class TorchError extends Error {
  override readonly name: string = 'TorchError';
  readonly code: string;
  readonly op: string | undefined;
  readonly received: string | undefined;

  constructor(message: string, code = 'ERR_TORCH', details: TorchErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.op = details.op;
    this.received = details.received;
  }
}

/** An argument has the wrong type, size or value. */
export class ArgumentError extends TorchError {
  override readonly name = 'ArgumentError';
  constructor(message: string, details?: TorchErrorDetails) {
    super(message, 'ERR_TORCH_ARGUMENT', details);
  }
}

/** An options object has a key that the function does not know. */
export class UnknownOptionError extends TorchError {
  override readonly name = 'UnknownOptionError';
  constructor(message: string, details?: TorchErrorDetails) {
    super(message, 'ERR_TORCH_UNKNOWN_OPTION', details);
  }
}

/** A tensor, module, optimizer or learner was used after `dispose()` or after its scope had ended. */
export class DisposedError extends TorchError {
  override readonly name = 'DisposedError';
  constructor(message: string, details?: TorchErrorDetails) {
    super(message, 'ERR_TORCH_DISPOSED', details);
  }
}

/** The libtorch at hand lacks an operator. */
export class UnsupportedOperatorError extends TorchError {
  override readonly name = 'UnsupportedOperatorError';
  constructor(message: string, details?: TorchErrorDetails) {
    super(message, 'ERR_TORCH_UNSUPPORTED_OPERATOR', details);
  }
}

/** libtorch could not allocate what was asked for. */
export class TorchOutOfMemoryError extends TorchError {
  override readonly name = 'TorchOutOfMemoryError';
  constructor(message: string, details?: TorchErrorDetails) {
    super(message, 'ERR_TORCH_OUT_OF_MEMORY', details);
  }
}

/** No libtorch was found, or the addon has not been built yet. */
export class TorchNotFoundError extends TorchError {
  override readonly name = 'TorchNotFoundError';
  constructor(message: string, details?: TorchErrorDetails) {
    super(message, 'ERR_TORCH_NOT_FOUND', details);
  }
}

/** The addon was built for another Node, libtorch or version of this package. */
export class AddonMismatchError extends TorchError {
  override readonly name = 'AddonMismatchError';
  constructor(message: string, details?: TorchErrorDetails) {
    super(message, 'ERR_TORCH_ADDON_MISMATCH', details);
  }
}

/** Refuses options whose name is not in `known`, and names the nearest meaning where the caller has one. */
export function checkOptions(where: string, options: object, known: readonly string[], hints: Readonly<Record<string, string>> = {}): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const hint = hints[key] ? ` (did you mean '${hints[key]}'?)` : '';
    throw new UnknownOptionError(`${where}: unknown option '${key}'${hint}; it takes ${known.join(', ') || 'none'}`, { op: where });
  }
}
