import { checkOptions } from '../internal/options';
import { cat } from '../ops';
import { keep } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Callback } from './callback';
import type { Learner } from './learner';
import { listOf, type ValidateOptions } from './options';

/** What `getPreds` gives, item by item in the order of the loader. */
export interface Predictions {
  /** What the model makes of the inputs, such as scores `[N, C]`. */
  readonly preds: Tensor;
  /** The first targets; undefined where the batches have none. */
  readonly targets: Tensor | undefined;
}

/** See `Learner.getPreds`. */
export async function getPreds(learn: Learner, options: ValidateOptions): Promise<Predictions> {
  checkOptions('getPreds', options, ['dl', 'cbs', 'signal']);
  const preds: Tensor[] = [];
  const targets: Tensor[] = [];
  const gather = new Callback({
    afterPred: ({ pred, yb }) => {
      // Copies: the loader's own tensors are not ours to free.
      preds.push(keep(pred.clone()));
      for (const y of yb.slice(0, 1)) targets.push(keep(y.clone()));
    },
  });
  // After those that change predictions, such as MixedPrecision.
  gather.order = 70;
  try {
    await learn.validate({ ...options, cbs: [...listOf(options.cbs), gather] });
    return { preds: cat(preds), targets: targets.length > 0 ? cat(targets) : undefined };
  } finally {
    for (const part of [...preds, ...targets]) part.dispose();
  }
}
