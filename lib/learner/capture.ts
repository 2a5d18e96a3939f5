import { currentDevice, Graph, graphsAreBuilt, isAvailable } from '../cuda';
import { noGrad } from '../tensor/autograd';
import { keep } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { Callback } from './callback';
import type { EventName } from './events';
import type { Learner } from './learner';

/** What was recorded: its outputs stay where they are, and a replay fills them anew. */
export interface Recording {
  readonly outputs: readonly Tensor[];
  readonly replay: () => void;
  readonly dispose: () => void;
}

/** Records the work of a function that returns its outputs, without doing it. */
export type Record = (work: () => readonly Tensor[]) => Recording;

/** The events within what is recorded. */
export const recordedEvents = [
  'afterPred',
  'afterLoss',
  'beforeBackward',
] as const satisfies EventName[];

// What libtorch, cuDNN and callbacks make at their first calls must be there before.
const warmUps = 3;

function recordOnGpu(work: () => readonly Tensor[]): Recording {
  const graph = new Graph();
  try {
    const outputs = keep(graph.capture(work));
    return {
      outputs,
      replay: () => {
        graph.replay();
      },
      dispose: () => {
        graph.dispose();
      },
    };
  } catch (error) {
    graph.dispose();
    throw error;
  }
}

// Why there are no graphs here; undefined where there are.
function whyNoGraphs({ device }: Learner): string | undefined {
  if (!device?.startsWith('cuda') || !isAvailable())
    return `the model is on ${device ?? 'no device'}, and only a GPU has graphs`;
  if (!graphsAreBuilt()) return "the addon was built without CUDA's headers";
  const current = currentDevice();
  if (device === `cuda:${current}`) return undefined;
  return `the model is on ${device}, and the current GPU is ${current}: call cuda.setDevice`;
}

function sizesOf(tensors: readonly Tensor[]): string {
  return tensors.map(({ dtype, shape }) => `${dtype}[${shape.join(', ')}]`).join(', ');
}

function listensWithin(cb: Callback): boolean {
  return cb.run && cb.runTrain && recordedEvents.some((event) => cb[event] !== undefined);
}

/**
 * Forward pass, loss and backward pass of training batches as one graph, for `Learner.capture`. The batch is copied into the
 * tensors that the graph reads; gradients are where they were. Callbacks and the optimizer's step come after it as ever.
 */
export class StepGraph {
  readonly #record: Record;
  readonly #whyNot: (learn: Learner) => string | undefined;
  readonly #seen = new Map<string, number>();
  readonly #reasons = new Map<string, number>();
  #replays = 0;
  #refused: string | undefined;
  #recording:
    (Recording & { sizes: string; inputs: readonly Tensor[]; held: Tensor[] }) | undefined;
  #grads: readonly (Tensor | false | null)[] = [];

  constructor(record: Record = recordOnGpu, whyNot = whyNoGraphs) {
    this.#record = record;
    this.#whyNot = whyNot;
  }

  /** Tells how many batches were replayed in the last fit, and why the others weren't. */
  explain(): string {
    const others = Array.from(this.#reasons, ([reason, count]) => `${reason} (${count})`);
    const total = this.#replays + [...this.#reasons.values()].reduce((sum, n) => sum + n, 0);
    const replayed = `replayed ${this.#replays} of ${total} training batches as a graph`;
    return others.length === 0 ? replayed : `${replayed}; the others not: ${others.join('; ')}`;
  }

  /** Begins a fit: models, layouts and callbacks may have changed. */
  begin(learn: Learner): void {
    this.end();
    this.#seen.clear();
    this.#reasons.clear();
    this.#replays = 0;
    this.#refused = this.#whyNot(learn);
  }

  /** Frees the graph. */
  end(): void {
    for (const each of this.#recording?.held ?? []) each.dispose();
    this.#recording?.dispose();
    this.#recording = undefined;
    this.#grads = [];
  }

  /**
   * Replays the learner's batch: afterwards it has predictions and loss, and the parameters their gradients.
   *
   * @param work computes them, and returns predictions and loss.
   * @returns false when the batch has to go its usual way.
   */
  replay(learn: Learner, work: () => readonly Tensor[]): boolean {
    const batch = [learn.xb, learn.yb] as const;
    const reason = this.#reasonNot(learn) ?? this.#prepare(learn, work);
    if (reason !== undefined) {
      this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
      learn.setBatch(...batch);
      return false;
    }
    const { inputs = [], outputs = [], replay } = this.#recording ?? {};
    noGrad(() => {
      inputs.forEach((input, i) => input.copy_(batch.flat()[i] ?? input, { nonBlocking: true }));
    });
    replay?.();
    learn.setBatch(...batch);
    const [pred, loss] = outputs.map((each) => each.detach().clone());
    if (pred) learn.pred = pred;
    if (loss) learn.loss = learn.lossGrad = loss;
    this.#replays += 1;
    return true;
  }

  #reasonNot(learn: Learner): string | undefined {
    if (this.#refused !== undefined) return this.#refused;
    if (learn.yb.length === 0) return 'there are no targets';
    const listener = learn.orderedCbs.find((cb) => listensWithin(cb) && !cb.capturable);
    if (listener) {
      const events = recordedEvents.filter((event) => listener[event] !== undefined);
      return `${listener.constructor.name} listens to ${events.join(' and ')}, and isn't capturable`;
    }
    if (this.#recording && !this.#sameGradients(learn)) {
      // Somebody gave a parameter another gradient, or froze it.
      this.end();
      this.#seen.clear();
    }
    return undefined;
  }

  // Records where that is due.
  #prepare(learn: Learner, work: () => readonly Tensor[]): string | undefined {
    const sizes = sizesOf([...learn.xb, ...learn.yb]);
    if (this.#recording)
      return this.#recording.sizes === sizes
        ? undefined
        : `other sizes than ${this.#recording.sizes}`;
    const seen = this.#seen.get(sizes) ?? 0;
    this.#seen.set(sizes, seen + 1);
    if (seen < warmUps) return 'warming up';
    const [xb, yb] = [learn.xb, learn.yb].map((part) => keep(part.map((each) => each.clone())));
    const inputs = [...(xb ?? []), ...(yb ?? [])];
    try {
      learn.setBatch(xb ?? [], yb ?? []);
      const recording = this.#record(work);
      // The graph writes to them, whatever becomes of the model meanwhile.
      const model = [...learn.model.parameters(), ...learn.model.buffers()];
      const held = [...inputs, ...recording.outputs, ...keep(model.map((each) => each.detach()))];
      this.#recording = { ...recording, sizes, inputs, held };
      this.#grads = gradientsOf(learn);
      return undefined;
    } catch (error) {
      for (const each of inputs) each.dispose();
      const message = error instanceof Error ? error.message : String(error);
      return (this.#refused = `the batch can't be recorded: ${message}`);
    }
  }

  #sameGradients(learn: Learner): boolean {
    const now = gradientsOf(learn);
    return now.length === this.#grads.length && now.every((grad, i) => grad === this.#grads[i]);
  }
}

function gradientsOf({ model }: Learner): (Tensor | false | null)[] {
  return model.parameters().map((p) => p.requiresGrad && p.grad);
}
