import { inspect } from 'node:util';
import { checkFunction, checkName, checkNumbers, isRecord } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { noGrad } from '../tensor/autograd';
import { refusePromise, tidy } from '../tensor/scope';
import { checkTensor, Tensor } from '../tensor/tensor';
import type { Learner } from './learner';
import type { TargetsFunction } from './options';
import { PendingNumbers } from './pending';

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

// What the user's function returns is not always what its type says.
function checkMeasured(where: string, value: unknown): Tensor | number {
  if (typeof value === 'number' || value instanceof Tensor) return value;
  throw new ArgumentError(
    `${where}: expected a Tensor or a number, got ${inspect(refusePromise(where, value), { depth: 0 })}`,
  );
}

/** The number of items in the learner's current batch. */
function batchSize({ xb, yb }: Learner): number {
  return (yb[0] ?? xb[0])?.shape[0] ?? 1;
}

/** The mean of numbers with weights; those that are on a device are read when the mean is asked for. */
class WeightedMean {
  #total = 0;
  #count = 0;
  readonly #weights: number[] = [];
  readonly #pending = new PendingNumbers((value) => {
    this.#total += (this.#weights.shift() ?? 0) * value;
  });

  reset(): void {
    this.#pending.clear();
    this.#weights.length = 0;
    this.#total = this.#count = 0;
  }

  add(value: Tensor | number, weight: number): void {
    this.#count += weight;
    if (typeof value === 'number') {
      // Rounding depends on the order.
      this.#pending.read();
      this.#total += weight * value;
    } else {
      this.#weights.push(weight);
      this.#pending.add(value);
    }
  }

  get value(): number | undefined {
    this.#pending.read();
    return this.#count === 0 ? undefined : this.#total / this.#count;
  }
}

/** Averages a function over all items, so that a smaller last batch counts for less. Source: fastai's `AvgMetric`. */
export class AvgMetric implements Metric {
  readonly name: string;
  readonly #measure: TargetsFunction<Tensor | number>;
  readonly #mean = new WeightedMean();

  /** @param name the heading; that of the function, in snake case, where it isn't given. */
  constructor(measure: MetricFunction, name?: string) {
    checkFunction('AvgMetric', measure);
    if (name !== undefined) checkName('AvgMetric', name);
    this.#measure = measure;
    this.name = name ?? (snakeCase(measure.name) || 'metric');
  }

  reset(): void {
    this.#mean.reset();
  }

  accumulate(learn: Learner): void {
    const where = `Learner: the metric '${this.name}'`;
    noGrad(() =>
      tidy(() => {
        const measured = this.#measure(learn.pred, ...learn.yb);
        this.#mean.add(checkMeasured(where, measured), batchSize(learn));
      }),
    );
  }

  get value(): number | undefined {
    return this.#mean.value;
  }
}

/** Averages the loss over all items. Source: fastai's `AvgLoss`. */
export class AvgLoss implements Metric {
  readonly name = 'loss';
  readonly #mean = new WeightedMean();

  reset(): void {
    this.#mean.reset();
  }

  accumulate(learn: Learner): void {
    this.#mean.add(learn.loss, batchSize(learn));
  }

  get value(): number | undefined {
    return this.#mean.value;
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
  readonly #pending = new PendingNumbers((loss) => {
    this.#include(loss);
  });

  /** @param beta the share of what came before, from 0 up to but without 1. */
  constructor(beta = 0.98) {
    if (typeof beta !== 'number' || !(beta >= 0 && beta < 1)) {
      throw new ArgumentError(
        `AvgSmoothLoss: expected beta from 0 up to but without 1, got ${inspect(beta)}`,
      );
    }
    this.beta = beta;
  }

  /** How many batches it has seen. */
  get count(): number {
    this.#pending.read();
    return this.#count;
  }

  reset(): void {
    this.#pending.clear();
    this.#average = 0;
    this.#count = 0;
  }

  accumulate(learn: Learner): void {
    this.#pending.add(learn.loss);
  }

  /** Takes in the loss of one batch. */
  add(loss: number): void {
    checkNumbers('AvgSmoothLoss.add', { loss });
    this.#pending.read();
    this.#include(loss);
  }

  #include(loss: number): void {
    this.#average = loss + this.beta * (this.#average - loss);
    this.#count += 1;
  }

  get value(): number | undefined {
    this.#pending.read();
    return this.#count === 0 ? undefined : this.#average / (1 - this.beta ** this.#count);
  }
}

/** Makes a metric of a function; passes a metric on. */
export function toMetric(metric: MetricFunction | Metric): Metric {
  if (typeof metric === 'function') return new AvgMetric(metric);
  const given: unknown = metric;
  if (isRecord(given) && [given.reset, given.accumulate].every((f) => typeof f === 'function'))
    return metric;
  throw new ArgumentError(
    `Learner: expected metrics, functions such as accuracy or objects with reset, accumulate and value, got ${inspect(given, { depth: 0 })}`,
  );
}

// ---- functions ----

function checkSameSize(where: string, input: Tensor, target: Tensor): void {
  for (const each of [input, target]) checkTensor(where, each);
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
  checkTensor('accuracy', target);
  const predicted = checkTensor('accuracy', input).argmax(axis);
  checkSameSize('accuracy', predicted, target);
  return predicted.eq(target.view(predicted.shape)).float().mean();
}

/** Returns `1 - accuracy`. */
export function errorRate(input: Tensor, target: Tensor, axis = -1): Tensor {
  return accuracy(input, target, axis).neg().add(1);
}

/** Returns the share of items whose target is among the `k` largest scores. Source: fastai's `top_k_accuracy`. */
export function topKAccuracy(input: Tensor, target: Tensor, k = 5, axis = -1): Tensor {
  checkTensor('topKAccuracy', target);
  const [, best] = checkTensor('topKAccuracy', input).topk(k, axis);
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
