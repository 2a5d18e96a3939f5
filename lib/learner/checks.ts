// What a learner refuses, besides options (options.ts), loaders (batch.ts) and models (params.ts).
import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import type { LossFunction } from './options';

/** Passes on a loss function. */
export function checkLoss(lossFunc: LossFunction | undefined): LossFunction {
  if (typeof lossFunc === 'function') return lossFunc;
  throw new ArgumentError(
    `Learner: expected lossFunc, such as nn.crossEntropy, got ${inspect(lossFunc, { depth: 0 })}`,
  );
}

/** Refuses what is no number of epochs. */
export function checkEpochs(where: string, nEpoch: number): void {
  if (Number.isSafeInteger(nEpoch) && nEpoch >= 0) return;
  throw new ArgumentError(`${where}: expected a number of epochs, got ${inspect(nEpoch)}`);
}
