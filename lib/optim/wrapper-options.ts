import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import type { Tensor } from '../tensor/tensor';
import { spreadHyper } from './hypers';
import { isIterable } from './iterable';
import type { Params } from './params';
import { Slice } from './slice';
import type { HyperValue } from './types';

/** The optimizers that libtorch has in C++. */
export type TorchKind = keyof TorchOptions;

/** One parameter group in PyTorch's form: its tensors, and the settings that are its own. */
export interface TorchGroup {
  readonly params: Tensor | Iterable<Tensor>;
  readonly [setting: string]: unknown;
}

/** What one of libtorch's optimizers trains: tensors, groups of tensors, or groups with settings. */
export type TorchParams = Params | Iterable<TorchGroup | Iterable<Tensor>>;

interface Common {
  /** The learning rate: a number, one for each group, or a slice. */
  readonly lr?: HyperValue;
  readonly weight_decay?: HyperValue;
}

/** The options of `torchOptim.SGD`, by PyTorch's names; without `lr` it is 1e-3. */
export interface TorchSGDOptions extends Common {
  readonly momentum?: HyperValue;
  readonly dampening?: HyperValue;
  readonly nesterov?: boolean;
}

/** The options of `torchOptim.Adam` and `torchOptim.AdamW`, by PyTorch's names and with its defaults. */
export interface TorchAdamOptions extends Common {
  readonly betas?: readonly [number, number];
  readonly eps?: HyperValue;
  readonly amsgrad?: boolean;
}

/** The options of `torchOptim.RMSprop`, by PyTorch's names and with its defaults. */
export interface TorchRMSpropOptions extends Common {
  readonly alpha?: HyperValue;
  readonly eps?: HyperValue;
  readonly momentum?: HyperValue;
  readonly centered?: boolean;
}

/** The options of `torchOptim.Adagrad`, by PyTorch's names and with its defaults. */
export interface TorchAdagradOptions extends Common {
  readonly lr_decay?: HyperValue;
  readonly eps?: HyperValue;
  /** Where the sums begin; the same for all groups. */
  readonly initial_accumulator_value?: number;
}

/** The options of `torchOptim.LBFGS`, by PyTorch's names and with its defaults. */
export interface TorchLBFGSOptions {
  readonly lr?: HyperValue;
  readonly max_iter?: number;
  readonly max_eval?: number;
  readonly tolerance_grad?: number;
  readonly tolerance_change?: number;
  readonly history_size?: number;
  readonly line_search_fn?: 'strong_wolfe';
}

/** The options of each of libtorch's optimizers. */
export interface TorchOptions {
  SGD: TorchSGDOptions;
  Adam: TorchAdamOptions;
  AdamW: TorchAdamOptions;
  RMSprop: TorchRMSpropOptions;
  Adagrad: TorchAdagradOptions;
  LBFGS: TorchLBFGSOptions;
}

/** Settings by libtorch's names: switches are 0 or 1, pairs two numbers. */
export type Settings = Readonly<Record<string, number>>;

// What can't change from one step to the next, nor be a hyper-parameter.
const fixed: ReadonlySet<string> = new Set([
  'nesterov',
  'amsgrad',
  'centered',
  'strong_wolfe',
  'initial_accumulator_value',
]);

/** Tells whether a setting is a hyper-parameter: the others are settled when the optimizer is made. */
export function isHyper(name: string): boolean {
  return !fixed.has(name);
}

const optionNames: Readonly<Record<TorchKind, readonly string[]>> = {
  SGD: ['lr', 'momentum', 'dampening', 'weight_decay', 'nesterov'],
  Adam: ['lr', 'betas', 'eps', 'weight_decay', 'amsgrad'],
  AdamW: ['lr', 'betas', 'eps', 'weight_decay', 'amsgrad'],
  RMSprop: ['lr', 'momentum', 'alpha', 'eps', 'weight_decay', 'centered'],
  Adagrad: ['lr', 'lr_decay', 'eps', 'weight_decay', 'initial_accumulator_value'],
  LBFGS: [
    'lr',
    'max_iter',
    'max_eval',
    'tolerance_grad',
    'tolerance_change',
    'history_size',
    'line_search_fn',
  ],
};

// What people write who come from fastai, and what it is called in PyTorch.
const hints = { mom: 'momentum, or betas', sqr_mom: 'alpha, or betas', wd: 'weight_decay' };

function toHyperValue(where: string, name: string, value: unknown): HyperValue {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number' || value instanceof Slice) return value;
  if (isIterable(value)) {
    const list = [...value];
    if (list.every((each) => typeof each === 'number')) return list;
  }
  throw new ArgumentError(
    `${where}: expected ${name} to be a number, numbers or a slice, got ${inspect(value, { depth: 0 })}`,
  );
}

// The settings that one option stands for.
function settingsOf(where: string, name: string, value: unknown): [string, HyperValue][] {
  if (name === 'betas') {
    const [mom, sqrMom, ...more]: unknown[] = isIterable(value) ? [...value] : [];
    if (typeof mom === 'number' && typeof sqrMom === 'number' && more.length === 0) {
      return [
        ['betas__0', mom],
        ['betas__1', sqrMom],
      ];
    }
    throw new ArgumentError(`${where}: expected betas to be two numbers, got ${inspect(value)}`);
  }
  if (name === 'line_search_fn') {
    if (value === 'strong_wolfe') return [['strong_wolfe', 1]];
    throw new ArgumentError(
      `${where}: expected line_search_fn 'strong_wolfe', got ${inspect(value)}; leave it out for none`,
    );
  }
  return [[name, toHyperValue(where, name, value)]];
}

/** Reads options into the settings of each group, by libtorch's names; only those that are given. */
export function readTorchOptions(
  kind: TorchKind,
  options: Readonly<Record<string, unknown>>,
  groups: number,
): Settings[] {
  const where = `torchOptim.${kind}`;
  checkOptions(where, options, optionNames[kind], hints);
  const settings = Array.from({ length: groups }, (): Record<string, number> => ({}));
  for (const [option, given] of Object.entries(options)) {
    if (given === undefined) continue;
    for (const [name, value] of settingsOf(where, option, given)) {
      const spread = spreadHyper(name, value, groups);
      for (const [i, each] of settings.entries()) each[name] = spread[i] ?? NaN;
    }
  }
  return settings;
}
