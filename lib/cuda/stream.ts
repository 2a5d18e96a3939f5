import { inspect } from 'node:util';
import { native } from '../internal/binding';
import { checkFunction } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import type { EventHandle, StreamId } from '../internal/native';
import { checkOptions } from '../internal/options';
import { refusePromise } from '../tensor/scope';
import { checkTensor, Tensor } from '../tensor/tensor';
import { indexOf, type CudaDevice } from './device';

/** The options of `Stream`. */
export interface StreamOptions {
  /** The current GPU where it isn't given. */
  readonly device?: CudaDevice;
  /** Its work goes before that of other streams. */
  readonly highPriority?: boolean;
}

/**
 * A queue of a GPU's work: what is in one stream runs in order, what is in two may run at once. All work goes to the
 * default stream unless `run` says otherwise.
 *
 * A tensor that was made in one stream and is used in another needs two things: the other stream waits for the first
 * (`waitStream`), and `recordStream(tensor)` before the tensor is freed.
 *
 * @throws CudaUnavailableError where there is no GPU.
 */
export class Stream {
  /** The index of its GPU. */
  readonly device: number;
  readonly #id: StreamId;

  /** @param id a stream that is there already; a new one of the pool where it isn't given. */
  constructor(options: StreamOptions = {}, id?: StreamId) {
    checkOptions('cuda.Stream', options, ['device', 'highPriority'], { priority: 'highPriority' });
    this.device = indexOf('cuda.Stream', options.device);
    this.#id = id ?? native.cudaPoolStream(this.device, options.highPriority ?? false);
  }

  /** @internal */
  static idOf(stream: Stream): StreamId {
    return stream.#id;
  }

  /** Tells whether two objects are the same stream. */
  equals(other: Stream): boolean {
    const { device } = checkStream('cuda.Stream.equals', other);
    return this.device === device && this.#id === other.#id;
  }

  /** Runs a synchronous function whose work for this stream's GPU goes to this stream. */
  run<T>(body: () => T): T {
    checkFunction('cuda.Stream.run', body);
    const before = native.cudaExchangeStream(this.device, this.#id);
    try {
      return refusePromise('cuda.Stream.run', body());
    } finally {
      native.cudaExchangeStream(this.device, before);
    }
  }

  /** Lets this stream go on only when `other` has done what it was given so far; the program itself goes on at once. */
  waitStream(other: Stream): void {
    this.waitEvent(checkStream('cuda.Stream.waitStream', other).recordEvent());
  }

  /** Lets this stream go on only when `event` has happened; the program itself goes on at once. */
  waitEvent(event: Event): void {
    checkEvent('cuda.Stream.waitEvent', event).wait(this);
  }

  /** Puts an event, a new one where none is given, behind the work so far. */
  recordEvent(event = new Event()): Event {
    checkEvent('cuda.Stream.recordEvent', event).record(this);
    return event;
  }

  /** Keeps the memory of a tensor from other use, once it is freed, until this stream has done its work of now. */
  recordStream(tensor: Tensor): void {
    const checked = checkTensor('cuda.Stream.recordStream', tensor);
    native.cudaRecordStream(Tensor.handleOf(checked), this.device, this.#id);
  }

  /** Tells whether all of its work is done. */
  query(): boolean {
    return native.cudaQueryStream(this.device, this.#id);
  }

  /** Waits until all of its work is done. */
  synchronize(): void {
    native.cudaSynchronizeStream(this.device, this.#id);
  }
}

function checkEvent(where: string, value: unknown): Event {
  if (value instanceof Event) return value;
  throw new ArgumentError(`${where}: expected a cuda.Event, got ${inspect(value, { depth: 0 })}`);
}

function checkStream(where: string, value: unknown): Stream {
  if (value instanceof Stream) return value;
  throw new ArgumentError(`${where}: expected a cuda.Stream, got ${inspect(value, { depth: 0 })}`);
}

/** Returns the stream that a GPU's work goes to in this thread. */
export function currentStream(device?: CudaDevice): Stream {
  const index = indexOf('cuda.currentStream', device);
  return new Stream({ device: index }, native.cudaCurrentStream(index));
}

/** Returns the stream that work goes to where nothing else is said. */
export function defaultStream(device?: CudaDevice): Stream {
  const index = indexOf('cuda.defaultStream', device);
  return new Stream({ device: index }, native.cudaDefaultStream(index));
}

/**
 * A mark in a stream, which happens when the GPU comes to it.
 *
 * @example
 * ```ts
 * const [start, end] = [new cuda.Event({ enableTiming: true }), new cuda.Event({ enableTiming: true })];
 * start.record();
 * x.matmul(x);
 * end.record();
 * end.synchronize();
 * console.log(start.elapsedTime(end), 'ms');
 * ```
 *
 * @throws CudaUnavailableError where there is no GPU.
 */
export class Event {
  readonly #handle: EventHandle;

  /** @param options.enableTiming whether `elapsedTime` can use it; without, it costs less. */
  constructor(options: { readonly enableTiming?: boolean } = {}) {
    checkOptions('cuda.Event', options, ['enableTiming'], { enable_timing: 'enableTiming' });
    this.#handle = native.cudaCreateEvent(options.enableTiming ?? false);
  }

  /** Puts it behind the work of a stream so far; again, it forgets where it was. */
  record(stream = currentStream()): void {
    const { device } = checkStream('cuda.Event.record', stream);
    native.cudaRecordEvent(this.#handle, device, Stream.idOf(stream));
  }

  /** Lets a stream go on only when this has happened; the program itself goes on at once. */
  wait(stream = currentStream()): void {
    const { device } = checkStream('cuda.Event.wait', stream);
    native.cudaWaitEvent(this.#handle, device, Stream.idOf(stream));
  }

  /** Tells whether it has happened; true for one that was never recorded. */
  query(): boolean {
    return native.cudaQueryEvent(this.#handle);
  }

  /** Waits until it has happened. */
  synchronize(): void {
    native.cudaSynchronizeEvent(this.#handle);
  }

  /** Returns the milliseconds from this event to `end`; both measure time and have happened. */
  elapsedTime(end: Event): number {
    checkEvent('cuda.Event.elapsedTime', end);
    return native.cudaElapsedTime(this.#handle, end.#handle);
  }
}
