import { inspect } from 'node:util';
import { checkFlags, checkNumbers } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { slice, type HyperValue, type Optimizer } from '../optim';
import type { Learner } from './learner';
import { checkMoms, fitOptionNames, listOf, type FitOptions, type Moms } from './options';
import { ParamScheduler } from './param-scheduler';
import { combinedCos, combineScheds, SchedCos, type Schedule } from './schedule';

/** The options of `fitOneCycle`. */
export interface FitOneCycleOptions extends FitOptions {
  /** The highest learning rate; the learner's `lr` where it isn't given. */
  readonly lrMax?: HyperValue;
  /** The first learning rate is `lrMax / div`; 25 where it isn't given. */
  readonly div?: number;
  /** The last one is `lrMax / divFinal`; 1e5 where it isn't given. */
  readonly divFinal?: number;
  /** The share of the way up, from 0 to 1; 0.25 where it isn't given. */
  readonly pctStart?: number;
  /** The learner's where they aren't given. */
  readonly moms?: Moms;
}

/** The options of `fitFlatCos`. */
export interface FitFlatCosOptions extends FitOptions {
  /** The learning rate; the learner's where it isn't given. */
  readonly lr?: HyperValue;
  /** The last learning rate is `lr / divFinal`; 1e5 where it isn't given. */
  readonly divFinal?: number;
  /** The share of the flat part, from 0 to 1; 0.75 where it isn't given. */
  readonly pctStart?: number;
}

/** The options of `fitSgdr`. */
export interface FitSgdrOptions extends FitOptions {
  /** The learning rate at the start of each cycle; the learner's `lr` where it isn't given. */
  readonly lrMax?: HyperValue;
  /** How much longer each cycle is than the one before; 2 where it isn't given. */
  readonly cycleMult?: number;
}

/** The options of `fineTune`. */
export interface FineTuneOptions extends Omit<FitOneCycleOptions, 'lrMax'> {
  /** The learning rate of the last group in the first phase; 2e-3 where it isn't given. */
  readonly baseLr?: number;
  /** How many epochs train the last group alone; 1 where it isn't given. */
  readonly freezeEpochs?: number;
  /** How much less the first group learns than the last one in the second phase; 100 where it isn't given. */
  readonly lrMult?: number;
}

const oneCycleNames = ['lrMax', 'div', 'divFinal', 'pctStart', 'moms', ...fitOptionNames];

function isWhole(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

// The learning rates of all groups, and the optimizer that they are for.
function begin(learn: Learner, lr: HyperValue | undefined): { opt: Optimizer; lrs: number[] } {
  const opt = learn.opt ?? learn.createOpt();
  opt.setHyper('lr', lr ?? learn.lr);
  return { opt, lrs: opt.hypers.map((hyper) => hyper.lr ?? NaN) };
}

function divide(values: readonly number[], by: number): number[] {
  return values.map((value) => value / by);
}

async function fitWith(
  learn: Learner,
  nEpoch: number,
  scheds: Record<string, Schedule>,
  options: FitOptions,
): Promise<void> {
  const { wd, cbs, resetOpt, startEpoch, signal } = options;
  await learn.fit(nEpoch, {
    cbs: [new ParamScheduler(scheds), ...listOf(cbs)],
    ...(wd === undefined ? {} : { wd }),
    ...(resetOpt === undefined ? {} : { resetOpt }),
    ...(startEpoch === undefined ? {} : { startEpoch }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** See `Learner.fitOneCycle`. */
export async function fitOneCycle(
  learn: Learner,
  nEpoch: number,
  options: FitOneCycleOptions,
): Promise<void> {
  checkOptions('fitOneCycle', options, oneCycleNames, {
    lr: 'lrMax',
    lr_max: 'lrMax',
    max_lr: 'lrMax',
    maxLr: 'lrMax',
  });
  learn.checkIdle('fitOneCycle');
  const { div = 25, divFinal = 1e5, pctStart = 0.25, moms = learn.moms } = options;
  checkNumbers('fitOneCycle', { div, divFinal, pctStart });
  checkMoms('fitOneCycle', moms);
  const { opt, lrs } = begin(learn, options.lrMax);
  const lr = combinedCos(pctStart, divide(lrs, div), lrs, divide(lrs, divFinal));
  const hasMom = options.moms !== undefined || opt.hasHyper('mom');
  await fitWith(
    learn,
    nEpoch,
    hasMom ? { lr, mom: combinedCos(pctStart, ...moms) } : { lr },
    options,
  );
}

/** See `Learner.fitFlatCos`. */
export async function fitFlatCos(
  learn: Learner,
  nEpoch: number,
  options: FitFlatCosOptions,
): Promise<void> {
  checkOptions('fitFlatCos', options, ['lr', 'divFinal', 'pctStart', ...fitOptionNames], {
    lrMax: 'lr',
  });
  learn.checkIdle('fitFlatCos');
  const { divFinal = 1e5, pctStart = 0.75 } = options;
  checkNumbers('fitFlatCos', { divFinal, pctStart });
  const { lrs } = begin(learn, options.lr);
  await fitWith(
    learn,
    nEpoch,
    { lr: combinedCos(pctStart, lrs, lrs, divide(lrs, divFinal)) },
    options,
  );
}

/** See `Learner.fitSgdr`. */
export async function fitSgdr(
  learn: Learner,
  nCycles: number,
  cycleLen: number,
  options: FitSgdrOptions,
): Promise<void> {
  checkOptions('fitSgdr', options, ['lrMax', 'cycleMult', ...fitOptionNames], { lr: 'lrMax' });
  learn.checkIdle('fitSgdr');
  const { cycleMult = 2 } = options;
  checkNumbers('fitSgdr', { cycleLen, cycleMult });
  if (!isWhole(nCycles))
    throw new ArgumentError(
      `fitSgdr: nCycles: expected a whole number from 1 up, got ${inspect(nCycles)}`,
    );
  const lengths = Array.from({ length: nCycles }, (_, i) => cycleLen * cycleMult ** i);
  if (!lengths.every(isWhole))
    throw new ArgumentError(`fitSgdr: expected cycles of whole epochs, got ${inspect(lengths)}`);
  const nEpoch = lengths.reduce((total, length) => total + length, 0);
  const { lrs } = begin(learn, options.lrMax);
  const cycle = SchedCos(
    lrs,
    lrs.map(() => 0),
  );
  const shares = lengths.map((length) => length / nEpoch);
  await fitWith(
    learn,
    nEpoch,
    {
      lr: combineScheds(
        shares,
        lengths.map(() => cycle),
      ),
    },
    options,
  );
}

/** See `Learner.fineTune`. */
export async function fineTune(
  learn: Learner,
  nEpoch: number,
  options: FineTuneOptions,
): Promise<void> {
  const names = oneCycleNames.filter((name) => name !== 'lrMax');
  checkOptions('fineTune', options, ['baseLr', 'freezeEpochs', 'lrMult', ...names], {
    lr: 'baseLr',
    lrMax: 'baseLr',
  });
  learn.checkIdle('fineTune');
  const {
    baseLr = 2e-3,
    freezeEpochs = 1,
    lrMult = 100,
    pctStart = 0.3,
    div = 5,
    ...rest
  } = options;
  checkNumbers('fineTune', { baseLr, freezeEpochs, lrMult, pctStart, div });
  checkFlags('fineTune', options, ['resetOpt']);
  const { resetOpt: _, startEpoch: __, ...first } = rest;
  learn.freeze();
  await fitOneCycle(learn, freezeEpochs, { ...first, lrMax: slice(baseLr), pctStart: 0.99 });
  learn.unfreeze();
  await fitOneCycle(learn, nEpoch, {
    ...rest,
    lrMax: slice(baseLr / 2 / lrMult, baseLr / 2),
    pctStart,
    div,
  });
}
