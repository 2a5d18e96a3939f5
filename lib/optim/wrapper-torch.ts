import { inspect } from 'node:util';
import { native } from '../internal/binding';
import { isRecord } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import type { OptimizerHandle } from '../internal/native';
import { Tensor } from '../tensor/tensor';
import { isIterable } from './iterable';
import { toParamLists } from './params';
import {
  readTorchOptions,
  type Settings,
  type TorchGroup,
  type TorchKind,
  type TorchOptions,
  type TorchParams,
} from './wrapper-options';

/** Makes one of libtorch's own optimizers, of the kind that it names. */
export type TorchFactory<Kind extends TorchKind> = ((
  params: TorchParams,
  options?: TorchOptions[Kind],
) => TorchOptimizer) & { readonly kind: Kind };

/** One of libtorch's own optimizers, made by `torchOptim`; `OptimWrapper` takes it over and steps it. */
export class TorchOptimizer {
  readonly kind: TorchKind;
  /** The parameters, group by group. */
  readonly paramLists: readonly (readonly Tensor[])[];
  /** All settings of each group, in libtorch's order. */
  readonly settings: readonly Settings[];
  readonly #handle: OptimizerHandle;
  #taken = false;

  /** @internal Made by `torchOptim`. */
  constructor(kind: TorchKind, params: TorchParams, options: object) {
    const { lists, own } = readGroups(params);
    if (kind === 'LBFGS' && lists.length > 1) {
      throw new ArgumentError(
        `torchOptim.LBFGS: expected one parameter group, got ${lists.length}; it sees all parameters as one vector`,
      );
    }
    const common = readTorchOptions(kind, { ...options }, lists.length);
    const special = own.map((settings) => readTorchOptions(kind, settings, 1)[0] ?? {});
    this.kind = kind;
    this.paramLists = lists;
    this.#handle = native.createOptimizer(
      kind,
      lists.flat().map((p) => Tensor.handleOf(p)),
      Object.entries(common[0] ?? {}),
    );
    const byDefault = Object.fromEntries(Array.from(native.optimizerSettings(this.#handle)));
    this.settings = lists.map((_, i) => ({ ...byDefault, ...common[i], ...special[i] }));
  }

  /** @internal Gives the native optimizer to its wrapper; a second one can't have it. */
  static take(optimizer: TorchOptimizer): OptimizerHandle {
    if (optimizer.#taken) {
      throw new ArgumentError(
        `OptimWrapper: expected an optimizer of its own, got an ${optimizer.kind} that another wrapper has; make a new one`,
      );
    }
    optimizer.#taken = true;
    return optimizer.#handle;
  }
}

function isGroup(value: Tensor | Iterable<Tensor> | TorchGroup): value is TorchGroup {
  return !(value instanceof Tensor) && isRecord(value) && 'params' in value;
}

// Groups of either form: their tensors, and the settings that are their own.
function readGroups(params: TorchParams) {
  if (!(params instanceof Tensor) && !isIterable(params)) {
    throw new ArgumentError(
      `torchOptim: expected tensors, groups of tensors, or groups { params, lr, ... }, got ${inspect(params, { depth: 0 })}`,
    );
  }
  const items: (Tensor | Iterable<Tensor> | TorchGroup)[] =
    params instanceof Tensor ? [params] : [...params];
  const tensorsOf = (item: (typeof items)[number]): Tensor | Iterable<Tensor> => {
    if (!isGroup(item)) return item;
    return item.params instanceof Tensor ? [item.params] : item.params;
  };
  const lists: (readonly Tensor[])[] = toParamLists(items.map(tensorsOf));
  const own = lists.map((_, i) => {
    const item = items[i];
    if (item === undefined || !isGroup(item)) return {};
    const { params: _params, ...settings } = item;
    return settings;
  });
  return { lists, own };
}

/**
 * libtorch's own optimizers, by PyTorch's names and with PyTorch's options and defaults. `OptimWrapper` gives them groups,
 * hyper-parameters and flags as all other optimizers here have them.
 *
 * @example
 * ```ts
 * const built = torchOptim.SGD([{ params: body, lr: 1e-3 }, { params: head }], { lr: 1e-2, momentum: 0.9 });
 * const opt = new OptimWrapper(built);
 * ```
 */
export const torchOptim = Object.freeze({
  SGD: factory('SGD'),
  Adam: factory('Adam'),
  AdamW: factory('AdamW'),
  RMSprop: factory('RMSprop'),
  Adagrad: factory('Adagrad'),
  LBFGS: factory('LBFGS'),
});

function factory<Kind extends TorchKind>(kind: Kind): TorchFactory<Kind> {
  const make = (params: TorchParams, options?: TorchOptions[Kind]): TorchOptimizer =>
    new TorchOptimizer(kind, params, options ?? {});
  return Object.freeze(Object.assign(make, { kind }));
}
