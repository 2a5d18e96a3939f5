import { Callback, type Learner } from '@fastopt/torch';
import type { TrainSettings } from './training';

/** Tells how a training goes. */
export interface Report {
  /** What reports each epoch, unless the learner does it itself. */
  readonly callbacks: readonly Callback[];
  start(learn: Learner, settings: TrainSettings): void;
  end(learn: Learner, seconds: number): void;
  stopped(learn: Learner, seconds: number): void;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function printJson(event: string, values: object): void {
  print(JSON.stringify({ event, ...values }));
}

function countParameters({ model }: Learner): number {
  return model.parameters().reduce((total, { numel }) => total + numel, 0);
}

// The losses and metrics of the last finished epoch by their headings.
function lastValues({ recorder }: Learner): Record<string, number | undefined> {
  const names = recorder.metricNames.slice(1, -1);
  return Object.fromEntries(names.map((name, i) => [name, recorder.values.at(-1)?.[i]]));
}

class JsonEpochs extends Callback {
  override order = 61;

  override afterEpoch(learn: Learner): void {
    printJson('epoch', {
      epoch: learn.epoch,
      ...lastValues(learn),
      seconds: learn.recorder.seconds.at(-1),
    });
  }
}

/** Prints one JSON object a line. */
export const jsonReport: Report = {
  callbacks: [new JsonEpochs()],
  start: (learn, { json: _, ...settings }) =>
    printJson('start', {
      ...settings,
      device: learn.device,
      parameters: countParameters(learn),
    }),
  end: (learn, seconds) => printJson('end', { ...lastValues(learn), seconds }),
  stopped: (learn, seconds) =>
    printJson('stopped', { batches: learn.trainIter, smooth_loss: learn.smoothLoss, seconds }),
};

/** Prints sentences around the learner's own table. */
export const textReport: Report = {
  callbacks: [],
  start: (learn, { arch, opt, data, limit, validLimit, epochs, seed }) => {
    const parameters = countParameters(learn).toLocaleString('en');
    const length = epochs === 1 ? '1 epoch' : `${epochs} epochs`;
    print(
      `${arch} (${parameters} parameters) with ${opt} on ${limit} images of ${data}, ${length} on ${learn.device}, seed ${seed}`,
    );
    print(`measured on ${validLimit} other images`);
  },
  end: (learn, seconds) => {
    const percent = ((lastValues(learn).accuracy ?? 0) * 100).toFixed(2);
    print(
      `${percent}% of the images that it had not seen are right, after ${seconds.toFixed(0)} s`,
    );
  },
  stopped: (learn, seconds) => {
    const total = learn.nEpoch * learn.dls.train.length;
    print(
      `stopped after ${learn.trainIter} of ${total} batches and ${seconds.toFixed(0)} s, at a training loss of ${learn.smoothLoss.toFixed(6)}`,
    );
  },
};
