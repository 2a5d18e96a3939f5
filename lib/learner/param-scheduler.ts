import { checkFunction, checkRecord } from '../internal/check';
import { Callback, type Fitting } from './callback';
import type { Learner } from './learner';
import type { Schedule } from './schedule';

/**
 * Sets hyper-parameters before each training batch by schedules over the whole fit; afterwards `recorder.hps` has what
 * they were. Source: fastai's `ParamScheduler`.
 *
 * @example
 * ```ts
 * await learn.fit(5, { cbs: new ParamScheduler({ lr: SchedLin(1e-3, 1e-5) }) });
 * ```
 */
export class ParamScheduler extends Callback {
  override order = 60;
  override runValid = false;
  readonly scheds: Readonly<Record<string, Schedule>>;
  #hps: Record<string, number[]> = {};

  /** @param scheds a schedule for each hyper-parameter, by its name in the optimizer. */
  constructor(scheds: Readonly<Record<string, Schedule>>) {
    super();
    checkRecord('ParamScheduler', 'schedules by name of hyper-parameter', scheds);
    for (const [name, sched] of Object.entries(scheds))
      checkFunction(`ParamScheduler: ${name}`, sched);
    this.scheds = scheds;
  }

  override beforeFit(_learn: Learner): void {
    this.#hps = Object.fromEntries(Object.keys(this.scheds).map((name) => [name, []]));
  }

  override beforeBatch(learn: Fitting): void {
    this.setHypers(learn, learn.pctTrain);
  }

  /** Sets all scheduled hyper-parameters for a position from 0 to 1. */
  protected setHypers(learn: Fitting, position: number): void {
    for (const [name, sched] of Object.entries(this.scheds))
      learn.opt.setHyper(name, sched(position));
  }

  override afterBatch(learn: Fitting): void {
    for (const [name, values] of Object.entries(this.#hps))
      values.push(learn.opt.hypers.at(-1)?.[name] ?? NaN);
  }

  override afterFit(learn: Learner): void {
    learn.recorder.hps = this.#hps;
  }
}
