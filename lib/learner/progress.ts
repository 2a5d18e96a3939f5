import { SingleBar } from 'cli-progress';
import { checkFlags, checkFunction } from '../internal/check';
import { checkOptions } from '../internal/options';
import { Callback } from './callback';
import type { Learner } from './learner';
import { formatHeadings, formatRow, formatTime } from './table';

// Milliseconds.
const redrawAfter = 200;

/** The options of `ProgressCallback`. */
export interface ProgressOptions {
  /** Gets each line of the table; it goes to stdout where it isn't given. */
  readonly log?: (line: string) => void;
  /** Shows a bar on stderr while an epoch runs; where it isn't given, if stderr is a terminal. */
  readonly bar?: boolean;
}

/**
 * Prints fastai's table: a line for each epoch with the losses, the metrics and the time. On a terminal a bar shows the epoch
 * as it runs, and how long the whole fit will still take.
 */
export class ProgressCallback extends Callback {
  override order = 60;
  readonly #log: (line: string) => void;
  readonly #showBar: boolean;
  #bar: SingleBar | undefined;
  #done = 0;
  #began = 0;
  #drawn = 0;

  constructor(options: ProgressOptions = {}) {
    super();
    checkOptions('ProgressCallback', options, ['log', 'bar']);
    checkFlags('ProgressCallback', options, ['bar']);
    if (options.log !== undefined) checkFunction('ProgressCallback: log', options.log);
    this.#log = options.log ?? ((line) => process.stdout.write(`${line}\n`));
    this.#showBar = options.bar ?? process.stderr.isTTY;
  }

  override beforeFit(learn: Learner): void {
    this.#done = 0;
    this.#began = performance.now();
    this.#log(formatHeadings(learn.recorder.metricNames));
  }

  override beforeEpoch(learn: Learner): void {
    if (!this.#showBar) return;
    this.#bar = new SingleBar({
      format: 'epoch {epoch} |{bar}| {value}/{total} batches, loss {loss}, {left} left',
      ...{ stream: process.stderr, barsize: 30, hideCursor: true, clearOnComplete: true },
      // Signals are the program's own affair.
      gracefulExit: false,
    });
    this.#bar.start(epochLength(learn), 0, { epoch: learn.epoch, loss: '-', left: '--:--' });
  }

  override afterBatch(learn: Learner): void {
    this.#done += 1;
    if (!this.#bar) return;
    const now = performance.now();
    const elapsed = (now - this.#began) / 1000;
    // The loss is read only as often as anybody looks: the program waits for the device then.
    if (now - this.#drawn < redrawAfter) {
      this.#bar.increment(1);
      return;
    }
    this.#drawn = now;
    this.#bar.increment(1, {
      loss: learn.smoothLoss.toFixed(4),
      left: formatTime((elapsed / this.#done) * batchesLeft(learn)),
    });
  }

  override afterEpoch(learn: Learner): void {
    this.#stop();
    const { metricNames, values, seconds } = learn.recorder;
    this.#log(formatRow(metricNames, learn.epoch, values.at(-1) ?? [], seconds.at(-1) ?? 0));
  }

  override afterFit(_learn: Learner): void {
    this.#stop();
  }

  override onError(_learn: Learner, _error: unknown): void {
    this.#stop();
  }

  #stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}

/** Has no table and no bar until the end of the fit. Source: fastai's `no_logging`. */
export class Quiet extends Callback {
  override order = -Infinity;

  override beforeFit({ cbs }: Learner): void {
    for (const cb of cbs) if (cb instanceof ProgressCallback) cb.run = false;
  }
}

function epochLength({ dls }: Learner): number {
  return dls.train.length + (dls.valid?.length ?? 0);
}

function batchesLeft(learn: Learner): number {
  const doneInEpoch = learn.iter + 1 + (learn.training ? 0 : learn.dls.train.length);
  return Math.max(0, (learn.nEpoch - learn.epoch) * epochLength(learn) - doneInEpoch);
}
