import { CapturedStep } from '../optim/captured-step';
import { noGrad } from '../tensor/autograd';
import { keep } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { Callback } from './callback';
import type { EventName } from './events';
import type { Learner } from './learner';
import { listeners } from './listeners';
import { recordOnGpu, whyNoGraphs, type Record, type Recording } from './recording';

/** What a training batch consists of. */
export interface BatchWork {
  /** Forward pass, loss and backward pass; returns predictions and loss. */
  readonly batch: () => readonly Tensor[];
  /** All from the gradients to the weights, up to gradients of zeros. */
  readonly step: (step: CapturedStep) => void;
}

/** How much of a batch a replay has done. */
export type Replayed = 'nothing' | 'batch' | 'step';

/** The events within what is recorded of each batch. */
export const batchEvents = [
  'afterPred',
  'afterLoss',
  'beforeBackward',
] as const satisfies EventName[];

/** The events within the step, where that is recorded too. */
export const stepEvents = [
  'afterBackward',
  'beforeStep',
  'afterStep',
] as const satisfies EventName[];

// What libtorch, cuDNN and callbacks make at their first calls must be there before.
const warmUps = 3;

interface Recorded extends Recording {
  readonly sizes: string;
  readonly inputs: readonly Tensor[];
  /** The optimizer's step in it; or why it is apart. */
  readonly step: CapturedStep | string;
  /** The model's tensors, each with one of the graph's, which is in its memory. */
  readonly places: readonly (readonly [Tensor, Tensor])[];
  /** What it was made of besides. */
  readonly basis: readonly unknown[];
}

/**
 * Training batches as one graph, for `Learner.capture`: forward pass, loss and backward pass, and the optimizer's step with what
 * is done to gradients, where all callbacks between allow it. The batch is copied into the tensors that the graph reads;
 * gradients are where they were.
 */
export class StepGraph {
  readonly #record: Record;
  readonly #whyNot: (learn: Learner) => string | undefined;
  readonly #seen = new Map<string, number>();
  readonly #reasons = new Map<string, number>();
  // Why the step of replayed batches was apart.
  readonly #apart = new Map<string, number>();
  #replays = 0;
  #refused: string | undefined;
  #recorded: Recorded | undefined;

  constructor(record: Record = recordOnGpu, whyNot = whyNoGraphs) {
    this.#record = record;
    this.#whyNot = whyNot;
  }

  /** Tells how many batches were replayed in the last fit, and why the others weren't. */
  explain(): string {
    const total = this.#replays + [...this.#reasons.values()].reduce((sum, n) => sum + n, 0);
    const replayed = `replayed ${this.#replays} of ${total} training batches as a graph`;
    const apart =
      this.#apart.size > 0
        ? `; the optimizer's step was apart: ${listed(this.#apart)}`
        : this.#replays > 0
          ? ", the optimizer's step with them"
          : '';
    const others = this.#reasons.size > 0 ? `; the others not: ${listed(this.#reasons)}` : '';
    return replayed + apart + others;
  }

  /** Begins a fit: models, layouts and callbacks may have changed. */
  begin(learn: Learner): void {
    this.#forget();
    this.#reasons.clear();
    this.#apart.clear();
    this.#replays = 0;
    this.#refused = this.#whyNot(learn);
  }

  /** Frees the graph, and takes the counts of steps back from the device. */
  end(): void {
    const recorded = this.#recorded;
    this.#recorded = undefined;
    if (!recorded) return;
    free(recorded);
    for (const each of [...recorded.inputs, ...recorded.places.map(([, held]) => held)])
      each.dispose();
    if (typeof recorded.step !== 'string') recorded.step.end();
  }

  #forget(): void {
    this.end();
    this.#seen.clear();
  }

  /** Replays the learner's batch, as far as that is recorded: afterwards it has predictions and loss. */
  replay(learn: Learner, work: BatchWork): Replayed {
    const batch = [learn.xb, learn.yb] as const;
    const found = this.#whyNotNow(learn) ?? this.#prepare(learn, work);
    if (typeof found === 'string') {
      count(this.#reasons, found);
      learn.setBatch(...batch);
      return 'nothing';
    }
    const { inputs, outputs, step, replay } = found;
    noGrad(() => {
      inputs.forEach((input, i) => input.copy_(batch.flat()[i] ?? input, { nonBlocking: true }));
    });
    replay();
    learn.setBatch(...batch);
    learn.isReplayed = true;
    const [pred, loss] = outputs.map((each) => each.detach().clone());
    if (pred) learn.pred = pred;
    if (loss) learn.loss = learn.lossGrad = loss;
    this.#replays += 1;
    if (typeof step === 'string') count(this.#apart, step);
    else step.arrive();
    return typeof step === 'string' ? 'batch' : 'step';
  }

  #whyNotNow(learn: Learner): string | undefined {
    if (this.#refused !== undefined) return this.#refused;
    if (learn.yb.length === 0) return 'there are no targets';
    const listener = listeners(learn, batchEvents).find((cb) => !cb.capturable);
    if (listener) return `${listening(listener, batchEvents)}, and isn't capturable`;
    if (this.#recorded && !isAsRecorded(this.#recorded, learn)) this.#forget();
    return undefined;
  }

  // Records where that is due.
  #prepare(learn: Learner, work: BatchWork): Recorded | string {
    const sizes = sizesOf([...learn.xb, ...learn.yb]);
    if (this.#recorded && this.#recorded.sizes !== sizes)
      return `other sizes than ${this.#recorded.sizes}`;
    if (!this.#recorded) {
      const seen = this.#seen.get(sizes) ?? 0;
      this.#seen.set(sizes, seen + 1);
      if (seen < warmUps) return 'warming up';
      const whyNot = this.#whyNot(learn); // once more: the current GPU may be another one by now
      if (whyNot !== undefined) return (this.#refused = whyNot);
      const step = beginStep(learn);
      if (step === undefined) return 'warming up';
      const recorded = this.#recordBatch(learn, work, sizes, step);
      if (typeof recorded === 'string') return (this.#refused = recorded);
      this.#recorded = recorded;
    }
    const { step } = this.#recorded;
    const stale = typeof step === 'string' ? undefined : step.ready();
    if (stale === undefined) return this.#recorded;
    this.#forget();
    return stale;
  }

  #recordBatch(
    learn: Learner,
    { batch, step: take }: BatchWork,
    sizes: string,
    step: CapturedStep | string,
  ): Recorded | string {
    const [xb = [], yb = []] = [learn.xb, learn.yb].map((part) =>
      keep(part.map((each) => each.clone())),
    );
    const inputs = [...xb, ...yb];
    const attempt = (work: () => readonly Tensor[]): Recording | string => {
      learn.setBatch(xb, yb);
      return this.#attempt(learn, work);
    };
    let apart = step;
    let recording: Recording | string = '';
    if (typeof step !== 'string') {
      recording = attempt(() => {
        const outputs = batch();
        take(step);
        return outputs;
      });
      if (typeof recording === 'string') {
        step.end();
        apart = `it can't be recorded: ${recording}`;
      }
    }
    if (typeof recording === 'string') recording = attempt(batch);
    if (typeof recording === 'string') {
      for (const each of inputs) each.dispose();
      return `the batch can't be recorded: ${recording}`;
    }
    const places = tensorsOf(learn).map((each) => [each, keep(each.detach())] as const);
    return { ...recording, sizes, inputs, step: apart, places, basis: basisOf(learn) };
  }

  #attempt(learn: Learner, work: () => readonly Tensor[]): Recording | string {
    const bare = tensorsOf(learn).filter(({ hasGrad }) => !hasGrad);
    let recording: Recording | string;
    learn.isRecording = true;
    try {
      recording = this.#record(work);
    } catch (error) {
      recording = error instanceof Error ? error.message : String(error);
    } finally {
      learn.isRecording = false;
    }
    // A gradient that recording made is memory of the graph, to which nothing has been written yet.
    const graded = bare.filter(({ hasGrad }) => hasGrad);
    for (const each of graded) each.grad = null;
    if (graded.length === 0 || typeof recording === 'string') return recording;
    free(recording);
    return 'a parameter has no gradient from the batch before';
  }
}

function free({ outputs, dispose }: Recording): void {
  dispose();
  for (const each of outputs) each.dispose();
}

// The optimizer's step, ready to be recorded; or why it stays apart; undefined where that isn't known yet.
function beginStep(learn: Learner): CapturedStep | string | undefined {
  const { opt, skip } = learn;
  const events = [...stepEvents, 'afterCancelStep'] as const;
  const listener = listeners(learn, events).find((cb) => !cb.capturableStep);
  if (listener) return `${listening(listener, events)}, and isn't capturableStep`;
  if (!opt) return 'there is no optimizer';
  // A step that is skipped would zero nothing, and whom afterStep reaches may look at gradients.
  const zeroGrad = skip === undefined && listeners(learn, ['afterStep']).length === 0;
  const step = opt.captureStep({ zeroGrad, skip });
  return step instanceof CapturedStep ? (step.begin() ?? step) : step;
}

function tensorsOf({ model, opt }: Learner): Tensor[] {
  const params = [...model.parameters(), ...(opt?.paramLists.flat() ?? [])];
  return [...new Set<Tensor>([...params, ...model.buffers()])];
}

// What a graph depends on, apart from sizes and memory: somebody may give a parameter another gradient, freeze it, add a
// callback, or put a layer into evaluation mode. In one pass over the model, as it is asked for before each replay.
function basisOf(learn: Learner): unknown[] {
  const { model, opt, autocast } = learn;
  const events = [...batchEvents, ...stepEvents, 'afterCancelStep'] as const;
  const basis: unknown[] = [opt, autocast, ...listeners(learn, events)];
  const add = (each: Tensor): void => {
    basis.push(each, each.requiresGrad && each.grad);
  };
  for (const module of model.modules()) {
    basis.push(module.training);
    for (const [, parameter] of module.ownParameters()) add(parameter);
    for (const [, buffer] of module.ownBuffers()) add(buffer);
  }
  for (const p of opt?.paramLists.flat() ?? []) add(p);
  return basis;
}

function isAsRecorded({ basis, places }: Recorded, learn: Learner): boolean {
  const now = basisOf(learn);
  return (
    now.length === basis.length &&
    now.every((each, i) => each === basis[i]) &&
    places.every(([tensor, held]) => tensor.isSetTo(held))
  );
}

function listening(cb: Callback, events: readonly EventName[]): string {
  const heard = events.filter((event) => cb[event] !== undefined);
  return `${cb.constructor.name} listens to ${heard.join(' and ')}`;
}

function sizesOf(tensors: readonly Tensor[]): string {
  return tensors.map(({ dtype, shape }) => `${dtype}[${shape.join(', ')}]`).join(', ');
}

function count(reasons: Map<string, number>, reason: string): void {
  reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
}

function listed(reasons: ReadonlyMap<string, number>): string {
  return Array.from(reasons, ([reason, n]) => `${reason} (${n})`).join('; ');
}
