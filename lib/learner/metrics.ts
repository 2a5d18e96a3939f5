import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { noGrad } from '../tensor/autograd';
import { refusePromise, tidy } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';
import type { Learner } from './learner';
import type { TargetsFunction } from './options';

/** Measures something over many batches; `value` is undefined where there was none. */
export interface Metric {
  /** The heading of its column, such as `accuracy`. */
  readonly name: string;
  reset(): void;
  /** Takes in the learner's current batch. */
  accumulate(learn: Learner): void;
  readonly value: number | undefined;
}

/** Compares predictions with targets: gives the mean over a batch. See `LossFunction` for what it gets. */
export type MetricFunction = (pred: Tensor, target: Tensor, ...more: never[]) => Tensor | number;

function snakeCase(name: string): string {
  return name
    .replace(/(?<=[a-z0-9])[A-Z]|[A-Z](?=[a-z])/g, (letter, at) => (at === 0 ? '' : '_') + letter)
    .toLowerCase();
}

function meanOf(value: Tensor): number {
  return value.double().mean().item();
}

// What the user's function returns is not always what its type says.
function numberOf(where: string, value: unknown): number {
  if (typeof value === 'number') return value;
  if (value instanceof Tensor) return meanOf(value);
  throw new ArgumentError(
    `${where}: expected a Tensor or a number, got ${inspect(refusePromise(where, value), { depth: 0 })}`,
  );
}

function lossOf({ loss }: Learner): number {
  return noGrad(() => tidy(() => meanOf(loss)));
}

/** The number of items in the learner's current batch. */
function batchSize({ xb, yb }: Learner): number {
  return (yb[0] ?? xb[0])?.shape[0] ?? 1;
}

/** Averages a function over all items, so that a smaller last batch counts for less. Source: fastai's `AvgMetric`. */
export class AvgMetric implements Metric {
  readonly name: string;
  readonly #measure: TargetsFunction<Tensor | number>;
  #total = 0;
  #count = 0;

  /** @param name the heading; that of the function, in snake case, where it isn't given. */
  constructor(measure: MetricFunction, name = snakeCase(measure.name) || 'metric') {
    this.#measure = measure;
    this.name = name;
  }

  reset(): void {
    this.#total = 0;
    this.#count = 0;
  }

  accumulate(learn: Learner): void {
    const items = batchSize(learn);
    const where = `Learner: the metric '${this.name}'`;
    const measure = (): number => numberOf(where, this.#measure(learn.pred, ...learn.yb));
    this.#total += items * noGrad(() => tidy(measure));
    this.#count += items;
  }

  get value(): number | undefined {
    return this.#count === 0 ? undefined : this.#total / this.#count;
  }
}

/** Averages the loss over all items. Source: fastai's `AvgLoss`. */
export class AvgLoss implements Metric {
  readonly name = 'loss';
  #total = 0;
  #count = 0;

  reset(): void {
    this.#total = 0;
    this.#count = 0;
  }

  accumulate(learn: Learner): void {
    const items = batchSize(learn);
    this.#total += items * lossOf(learn);
    this.#count += items;
  }

  get value(): number | undefined {
    return this.#count === 0 ? undefined : this.#total / this.#count;
  }
}

/**
 * Averages the losses of batches with more weight on the recent ones: `avg = loss + beta * (avg - loss)`, and its value is
 * `avg / (1 - beta ** count)`. Source: fastai's `AvgSmoothLoss`.
 */
export class AvgSmoothLoss implements Metric {
  readonly name = 'loss';
  readonly beta: number;
  #average = 0;
  #count = 0;

  /** @param beta the share of what came before, from 0 up to but without 1. */
  constructor(beta = 0.98) {
    this.beta = beta;
  }

  /** How many batches it has seen. */
  get count(): number {
    return this.#count;
  }

  reset(): void {
    this.#average = 0;
    this.#count = 0;
  }

  accumulate(learn: Learner): void {
    this.add(lossOf(learn));
  }

  /** Takes in the loss of one batch. */
  add(loss: number): void {
    this.#average = loss + this.beta * (this.#average - loss);
    this.#count += 1;
  }

  get value(): number | undefined {
    return this.#count === 0 ? undefined : this.#average / (1 - this.beta ** this.#count);
  }
}

/** Makes a metric of a function; passes a metric on. */
export function toMetric(metric: MetricFunction | Metric): Metric {
  return typeof metric === 'function' ? new AvgMetric(metric) : metric;
}

// ---- functions ----

function checkSameSize(where: string, input: Tensor, target: Tensor): void {
  if (input.numel === target.numel) return;
  throw new ArgumentError(
    `${where}: expected as many predictions as targets, got [${input.shape.join(', ')}] and [${target.shape.join(', ')}]`,
  );
}

/**
 * Returns the share of items whose largest score is that of the target. Source: fastai's `accuracy`.
 *
 * @param input scores `[B, C]`.
 * @param target classes as integers `[B]`.
 * @param axis the dimension of the classes.
 * @returns a float32 scalar from 0 to 1.
 */
export function accuracy(input: Tensor, target: Tensor, axis = -1): Tensor {
  const predicted = input.argmax(axis);
  checkSameSize('accuracy', predicted, target);
  return predicted.eq(target.view(predicted.shape)).float().mean();
}

/** Returns `1 - accuracy`. */
export function errorRate(input: Tensor, target: Tensor, axis = -1): Tensor {
  return accuracy(input, target, axis).neg().add(1);
}

/** Returns the share of items whose target is among the `k` largest scores. Source: fastai's `top_k_accuracy`. */
export function topKAccuracy(input: Tensor, target: Tensor, k = 5, axis = -1): Tensor {
  const [, best] = input.topk(k, axis);
  return best.eq(target.unsqueeze(axis).expandAs(best)).float().sum(axis).mean();
}

/** Returns the mean of squared differences of tensors of as many elements. */
export function mse(input: Tensor, target: Tensor): Tensor {
  checkSameSize('mse', input, target);
  return input.flatten().sub(target.flatten()).square().mean();
}

/** Returns the mean of absolute differences. */
export function mae(input: Tensor, target: Tensor): Tensor {
  checkSameSize('mae', input, target);
  return input.flatten().sub(target.flatten()).abs().mean();
}
