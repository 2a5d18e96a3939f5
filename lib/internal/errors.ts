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

/** An object is at work and can't begin anything else before it has finished, such as a learner while it fits. */
export class BusyError extends TorchError {
  override readonly name = 'BusyError';
  constructor(message: string, details?: TorchErrorDetails) {
    super(message, 'ERR_TORCH_BUSY', details);
  }
}

/** The libtorch at hand lacks an operator. */
export class UnsupportedOperatorError extends TorchError {
  override readonly name = 'UnsupportedOperatorError';
  constructor(message: string, details?: TorchErrorDetails) {
    super(message, 'ERR_TORCH_UNSUPPORTED_OPERATOR', details);
  }
}

/** What there was when memory ran out, in bytes but for `tensors`. */
export interface MemoryFigures {
  /** Where: `cpu`, `cuda:0`. */
  readonly device: string;
  /** What was asked for; undefined where libtorch doesn't tell. */
  readonly requested: number | undefined;
  /** What nobody has, of this and other processes. */
  readonly free: number;
  readonly total: number;
  /** What libtorch has given out here. */
  readonly allocated: number;
  /** The live handles of this thread, on whatever device. */
  readonly tensors: number;
}

/** libtorch could not allocate what was asked for, nor after the garbage collector had freed what it could. */
export class TorchOutOfMemoryError extends TorchError {
  override readonly name = 'TorchOutOfMemoryError';
  readonly figures: MemoryFigures | undefined;
  constructor(
    message: string,
    details: TorchErrorDetails & { readonly figures?: MemoryFigures } = {},
  ) {
    super(message, 'ERR_TORCH_OUT_OF_MEMORY', details);
    this.figures = details.figures;
  }
}

/** A GPU was asked for, and there is none, or a libtorch without CUDA. */
export class CudaUnavailableError extends TorchError {
  override readonly name = 'CudaUnavailableError';
  constructor(message: string, details?: TorchErrorDetails) {
    super(message, 'ERR_TORCH_CUDA_UNAVAILABLE', details);
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

const classes: Readonly<
  Record<string, new (message: string, details?: TorchErrorDetails) => TorchError>
> = {
  ERR_TORCH_ARGUMENT: ArgumentError,
  ERR_TORCH_CUDA_UNAVAILABLE: CudaUnavailableError,
  ERR_TORCH_DISPOSED: DisposedError,
  ERR_TORCH_UNSUPPORTED_OPERATOR: UnsupportedOperatorError,
  ERR_TORCH_OUT_OF_MEMORY: TorchOutOfMemoryError,
};

/** Makes the typed error of what the addon threw; passes on what user code threw inside a hook. */
export function toTorchError(error: unknown): unknown {
  if (typeof error !== 'object' || error === null || !('torch' in error)) return error;
  const { torch, message, op, received, backtrace } = error as unknown as Record<
    string,
    string | undefined
  >;
  const details = {
    ...(op === undefined ? {} : { op }),
    ...(received === undefined ? {} : { received }),
    ...(backtrace === undefined ? {} : { cause: new Error(backtrace) }),
  };
  const Class = classes[torch ?? ''];
  return Class ? new Class(message ?? '', details) : new TorchError(message ?? '', torch, details);
}
