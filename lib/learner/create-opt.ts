import type { Optimizer } from '../optim';
import type { Learner } from './learner';
import { normBiasParams } from './params';

/** Makes the optimizer of a learner; see `Learner.createOpt`. Source: fastai's `Learner.create_opt`. */
export function createOpt(learn: Learner): Optimizer {
  const { model, splitter, optFunc, lr, wdBnBias, trainBn } = learn;
  const opt = optFunc(splitter(model), { lr });
  const known = new Set(opt.paramLists.flat());
  const states = (withBias: boolean) =>
    normBiasParams(model, withBias)
      .filter((p) => known.has(p))
      .map((p) => opt.state.get(p));
  if (!wdBnBias) for (const state of states(true)) state.do_wd = false;
  if (trainBn) for (const state of states(false)) state.force_train = true;
  return opt;
}
