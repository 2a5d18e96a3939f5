import { Callback } from './callback';
import type { Learner } from './learner';

/** Puts model and learner into training or evaluation mode, and counts how far the training is. Source: fastai's `TrainEvalCallback`. */
export class TrainEvalCallback extends Callback {
  override order = -10;
  override runValid = false;

  override afterCreate(learn: Learner): void {
    learn.nEpoch = 1;
  }

  override beforeFit(learn: Learner): void {
    learn.epoch = 0;
    learn.trainIter = 0;
    learn.pctTrain = 0;
  }

  override beforeTrain(learn: Learner): void {
    learn.pctTrain = learn.epoch / learn.nEpoch;
    learn.model.train();
    learn.training = true;
  }

  override afterBatch(learn: Learner): void {
    learn.pctTrain += 1 / (learn.nIter * learn.nEpoch);
    learn.trainIter += 1;
  }

  override beforeValidate(learn: Learner): void {
    learn.model.eval();
    learn.training = false;
  }
}
