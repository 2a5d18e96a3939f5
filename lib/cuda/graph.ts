import { native } from '../internal/binding';
import { ArgumentError, DisposedError } from '../internal/errors';
import type { GraphHandle } from '../internal/native';
import { refusePromise } from '../tensor/scope';
import { currentDevice } from './device';
import { emptyCache } from './memory';
import { currentStream, Stream } from './stream';

/** Tells whether this build can record graphs: it was made with a libtorch for CUDA, and with CUDA's headers. */
export function graphsAreBuilt(): boolean {
  return native.cudaGraphsAreBuilt();
}

// One for each GPU: libtorch keeps a workspace for the matrix products of every stream that ever had some.
const streams = new Map<number, Stream>();

function streamToRecord(): Stream {
  const device = currentDevice();
  const stream = streams.get(device) ?? new Stream({ device });
  streams.set(device, stream);
  return stream;
}

/**
 * Work of a GPU that is recorded once, and replayed as a whole: thousands of kernels cost the program one call. A replay reads
 * and writes the tensors that the recording did, where they were then: copy new inputs into the old ones, and keep all of
 * them alive.
 *
 * Source: PyTorch's `torch.cuda.CUDAGraph`.
 * @throws CudaUnavailableError where there is no GPU; TorchError where the build has no graphs.
 * @example
 * ```ts
 * const graph = new cuda.Graph();
 * const y = graph.capture(() => keep(x.mul(2)));
 * x.copy_(next);
 * graph.replay(); // y is twice the next
 * ```
 */
export class Graph {
  readonly #handle: GraphHandle = native.cudaCreateGraph();
  #recorded = false;
  #disposed = false;

  /**
   * Records what `body` gives to the current GPU; nothing is computed yet. It must not read a number, or copy one from the
   * program. Run it two or three times before, in earnest: what libtorch makes at the first call is then there.
   *
   * @returns what `body` returns.
   * @throws TorchError for what can't be recorded. The graph is of no use then.
   */
  capture<T>(body: () => T): T {
    this.#checkLive('capture');
    if (this.#recorded) {
      throw new ArgumentError(
        'cuda.Graph.capture: expected a graph that was not recorded, got one that was; make a new one',
      );
    }
    this.#recorded = true;
    // A graph has memory of its own, and can't have what libtorch keeps for other tensors given back while it is recorded.
    emptyCache();
    const stream = streamToRecord();
    const outside = currentStream();
    stream.waitStream(outside);
    const result = stream.run(() => this.#record(body));
    outside.waitStream(stream);
    return result;
  }

  #record<T>(body: () => T): T {
    native.cudaBeginGraph(this.#handle);
    let result: T;
    try {
      result = refusePromise('cuda.Graph.capture', body());
    } catch (error) {
      // The first error says what went wrong; ending a broken recording fails as well.
      try {
        native.cudaEndGraph(this.#handle);
      } finally {
        throw error;
      }
    }
    native.cudaEndGraph(this.#handle);
    return result;
  }

  /** Gives what was recorded to the current stream, and doesn't wait. */
  replay(): void {
    this.#checkLive('replay');
    if (!this.#recorded) {
      throw new ArgumentError(
        'cuda.Graph.replay: expected a graph that was recorded, got an empty one; call capture() first',
      );
    }
    native.cudaReplayGraph(this.#handle);
  }

  /** Frees what was recorded, and the memory of the tensors between. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    native.cudaDisposeGraph(this.#handle);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #checkLive(method: string): void {
    if (this.#disposed)
      throw new DisposedError(`cuda.Graph.${method}: this graph was disposed; make a new one`);
  }
}
