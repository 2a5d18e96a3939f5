import { inspect } from 'node:util';
import { native } from '../internal/binding';
import { checkFlags, checkFunction } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { refusePromise } from './scope';

const deviceKinds = ['cpu', 'cuda'] as const;
const defaults = { cpu: 'bfloat16', cuda: 'float16' } as const;

/** A kind of device that operators can be cast on. */
export type AutocastDevice = (typeof deviceKinds)[number];

/** What operators can be cast to. */
export type AutocastDType = 'float16' | 'bfloat16';

/** The options of `autocast`. */
export interface AutocastOptions {
  /** Where: on every kind of device where it isn't given. */
  readonly device?: AutocastDevice;
  /** The half type; bfloat16 on the CPU and float16 with CUDA where it isn't given. */
  readonly dtype?: AutocastDType;
  /** false makes an exception within another region; true where it isn't given. */
  readonly enabled?: boolean;
  /** Keeps the casts of parameters until the outermost region ends; true where it isn't given. */
  readonly cacheEnabled?: boolean;
}

const optionNames = ['device', 'dtype', 'enabled', 'cacheEnabled'];
const hints = { device_type: 'device', deviceType: 'device', cache_enabled: 'cacheEnabled' };

function checkOneOf(name: string, value: unknown, known: readonly string[]): void {
  if (value === undefined || (typeof value === 'string' && known.includes(value))) return;
  const names = known.map((each) => `'${each}'`).join(' or ');
  throw new ArgumentError(`autocast: expected ${name} ${names}, got ${inspect(value)}`);
}

/**
 * Runs `body` with operators in half precision where that is fast and safe: matrix products and convolutions compute in
 * `dtype`, sums, norms and losses in float32; libtorch has the list. Parameters stay float32, and get float32 gradients. Call
 * `backward` outside it.
 *
 * Source: PyTorch's `torch.autocast`.
 * @returns what `body` returns.
 * @throws ArgumentError when `body` returns a promise.
 * @example
 * ```ts
 * const loss = autocast({ dtype: 'bfloat16' }, () => nn.crossEntropy(model.forward(x), y));
 * loss.backward();
 * ```
 */
export function autocast<T>(options: AutocastOptions, body: () => T): T {
  checkOptions('autocast', options, optionNames, hints);
  checkFlags('autocast', options, ['enabled', 'cacheEnabled']);
  checkFunction('autocast', body);
  const { device, dtype, enabled = true, cacheEnabled = true } = options;
  checkOneOf('device', device, deviceKinds);
  checkOneOf('dtype', dtype, ['float16', 'bfloat16']);
  const kinds = device === undefined ? deviceKinds : [device];
  const before = kinds.map((kind) => native.autocastDtype(kind));
  const cacheBefore = native.setAutocastCache(cacheEnabled);
  native.enterAutocast();
  try {
    for (const kind of kinds)
      native.setAutocast(kind, enabled ? (dtype ?? defaults[kind]) : undefined);
    return refusePromise('autocast', body());
  } finally {
    native.leaveAutocast();
    kinds.forEach((kind, i) => {
      native.setAutocast(kind, before[i]);
    });
    native.setAutocastCache(cacheBefore);
  }
}

/** Tells what operators are cast to here on a kind of device; undefined where they aren't. */
export function autocastDtype(device: AutocastDevice): AutocastDType | undefined {
  checkOneOf('device', device, deviceKinds);
  const dtype = native.autocastDtype(device);
  return dtype === 'float16' || dtype === 'bfloat16' ? dtype : undefined;
}
