import { Callback, type Fitting } from './callback';
import type { Learner } from './learner';
import { AvgLoss, AvgSmoothLoss, type Metric } from './metrics';
import { PendingNumbers } from './pending';

/**
 * Records, as plain numbers, the learning rate and the smoothed loss of each training batch, and the losses and metrics of
 * each epoch. Losses stay on their device until somebody reads them, at the end of the epoch at the latest.
 *
 * Source: fastai's `Recorder`.
 */
export class Recorder extends Callback {
  override order = 50;
  /** The learning rate of the last parameter group, batch by batch. */
  lrs: number[] = [];
  /** How many batches there had been at the end of each epoch. */
  iters: number[] = [];
  /** Losses and metrics, epoch by epoch, in the order of `metricNames` without epoch and time. */
  values: (number | undefined)[][] = [];
  /** Seconds, epoch by epoch. */
  seconds: number[] = [];
  /** The headings: `epoch`, `train_loss`, `valid_loss`, the metrics, `time`. */
  metricNames: string[] = [];
  /** What a `ParamScheduler` set, batch by batch. */
  hps: Readonly<Record<string, readonly number[]>> = {};

  /** Whether metrics are measured on the training batches too. */
  trainMetrics = false;
  /** Whether loss and metrics are measured on the validation set. */
  validMetrics = true;
  readonly #average = new AvgSmoothLoss();
  #losses: number[] = [];
  #smoothLoss = 0;
  readonly #pending = new PendingNumbers((loss) => {
    this.#average.add(loss);
    this.#smoothLoss = this.#average.value ?? NaN;
    this.#losses.push(this.#smoothLoss);
  });
  readonly #validLoss = new AvgLoss();
  // What is measured in a pass that isn't over.
  #measuring: readonly Metric[] = [];
  #row: (number | undefined)[] = [];
  #leftTrain = false;
  #leftValid = false;
  #began = 0;

  /** The smoothed training loss, batch by batch. Waits for the device. */
  get losses(): number[] {
    this.#pending.read();
    return this.#losses;
  }

  /** The last of `losses`, also those of the fit before; 0 where there is none. */
  get smoothLoss(): number {
    this.#pending.read();
    return this.#smoothLoss;
  }

  override beforeFit(learn: Learner): void {
    this.lrs = [];
    this.#losses = [];
    this.iters = [];
    this.values = [];
    this.seconds = [];
    this.#average.reset();
    this.#pending.clear();
    this.metricNames = ['epoch', ...this.#headings(learn), 'time'];
  }

  #headings(learn: Learner): string[] {
    const names = learn.metrics.map(({ name }) => name);
    const train = this.trainMetrics ? names.map((name) => `train_${name}`) : [];
    const valid = this.trainMetrics ? names.map((name) => `valid_${name}`) : names;
    const validated = this.validMetrics && learn.dls.valid !== undefined;
    return ['train_loss', ...train, ...(validated ? ['valid_loss', ...valid] : [])];
  }

  override beforeEpoch(_learn: Learner): void {
    this.#row = [];
    this.#leftTrain = this.#leftValid = false;
    this.#began = performance.now();
  }

  override beforeTrain(learn: Learner): void {
    this.#begin(this.#trained(learn));
  }

  override beforeValidate(learn: Learner): void {
    this.#begin(this.#validated(learn));
  }

  #begin(metrics: readonly Metric[]): void {
    for (const metric of metrics) metric.reset();
    this.#measuring = metrics;
  }

  // Reads what was measured: numbers that wait on a device hold memory there.
  #end(): (number | undefined)[] {
    const metrics = this.#measuring;
    this.#measuring = [];
    return metrics.map(({ value }) => value);
  }

  #trained(learn: Learner): readonly Metric[] {
    return this.trainMetrics ? learn.metrics : [];
  }

  #validated(learn: Learner): readonly Metric[] {
    return this.validMetrics ? [this.#validLoss, ...learn.metrics] : [];
  }

  override afterBatch(learn: Fitting): void {
    if (!learn.hasLoss) return;
    const metrics = learn.training ? this.#trained(learn) : this.#validated(learn);
    for (const metric of metrics) metric.accumulate(learn);
    if (!learn.training) return;
    this.#pending.add(learn.loss);
    this.lrs.push(learn.opt.hypers.at(-1)?.lr ?? NaN);
  }

  override afterCancelTrain(_learn: Learner): void {
    this.#leftTrain = true;
  }

  override afterCancelValidate(_learn: Learner): void {
    this.#leftValid = true;
  }

  override afterTrain(_learn: Learner): void {
    this.#pending.read();
    const measured = [this.#average.value, ...this.#end()];
    this.#row.push(...measured.map((value) => (this.#leftTrain ? undefined : value)));
  }

  override afterValidate(_learn: Learner): void {
    this.#row.push(...this.#end().map((value) => (this.#leftValid ? undefined : value)));
  }

  override afterEpoch(learn: Learner): void {
    learn.finalRecord = this.#row;
    this.values.push(this.#row);
    this.seconds.push((performance.now() - this.#began) / 1000);
    this.iters.push(this.losses.length);
  }

  override afterFit(_learn: Learner): void {
    this.#pending.read();
    try {
      this.#end(); // of a pass that was left half-way
    } catch {
      // A metric that saw nothing has no value; why the pass was left says more.
    }
  }

  override onError(learn: Learner, _error: unknown): void {
    this.afterFit(learn);
  }
}
