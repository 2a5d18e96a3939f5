import {
  DataLoader,
  Generator,
  getDefaultDevice,
  Learner,
  nn,
  randn,
  type Callback,
  type LearnerOptions,
} from '../../lib/index';

/** Points of two classes that a line tells apart, in batches of 4. */
export function tinyData(items: number, seed = 1): DataLoader {
  const x = randn([items, 3], { generator: new Generator({ seed }) }).to(getDefaultDevice());
  const y = x.sum(1).gt(0).long();
  return new DataLoader([x, y], { bs: 4, seed });
}

/** A net with a layer of every kind of interest: biases, batch norm, dropout. */
export function tinyModel(): nn.Sequential {
  return new nn.Sequential(
    new nn.Linear(3, 8),
    new nn.BatchNorm1d(8),
    new nn.ReLU(),
    new nn.Dropout(0.1),
    new nn.Linear(8, 2),
  );
}

/** A silent learner of 4 training and 2 validation batches. */
export function tinyLearner(
  options: Partial<LearnerOptions> = {},
  model: nn.Module = tinyModel(),
): Learner {
  const dls = { train: tinyData(16), valid: tinyData(8, 2) };
  return new Learner(dls, model, { lossFunc: nn.crossEntropy, progress: false, ...options });
}

/** All values of a learner's model. */
export function weights(learn: Learner): number[] {
  return Object.values(learn.model.stateDict()).flatMap((value) =>
    Array.from(value.data(), Number),
  );
}

/** Callbacks for one order. */
export function at<T extends Callback>(order: number, cb: T): T {
  cb.order = order;
  return cb;
}

/** Returns what a promise fails with. */
export async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected a failure, and there was none');
}
