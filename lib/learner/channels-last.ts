import { noGrad } from '../tensor/autograd';
import { tidy } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';
import { Callback } from './callback';
import type { Learner } from './learner';

/** Lays out a model anew, and with it the averages of the optimizer: a fused step wants them as their parameters are. */
export function layOut(
  { model, opt }: Learner,
  memoryFormat: 'contiguous' | 'channels_last',
): void {
  model.to({ memoryFormat });
  noGrad(() =>
    tidy(() => {
      for (const value of opt?.allParams().flatMap(([, , state]) => Object.values(state)) ?? [])
        if (value instanceof Tensor && value.ndim === 4) value.setData(value.to({ memoryFormat }));
    }),
  );
}

/**
 * Keeps the channels of images `[B, C, H, W]`, and of the weights that see them, side by side in memory: most convolutions are
 * faster so. Nothing but the layout changes. `learn.toChannelsLast()` and the option `channelsLast` add it.
 *
 * Source: fastai's `ChannelsLast`.
 */
export class ChannelsLast extends Callback {
  // Before callbacks that look at the model or the batch.
  override order = -1;

  override beforeFit(learn: Learner): void {
    layOut(learn, 'channels_last');
  }

  override beforeBatch(learn: Learner): void {
    learn.xb = learn.xb.map((x) => (x.ndim === 4 ? x.to({ memoryFormat: 'channels_last' }) : x));
  }
}
