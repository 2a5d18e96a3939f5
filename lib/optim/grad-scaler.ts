import { inspect } from 'node:util';
import { checkFlag } from '../internal/check';
import { ArgumentError } from '../internal/errors';
import { rawOp } from '../internal/op';
import { checkOptions } from '../internal/options';
import { noGrad } from '../tensor/autograd';
import { full } from '../tensor/create';
import type { Device } from '../tensor/dtype';
import { keep, tidy } from '../tensor/scope';
import { checkTensor, Tensor } from '../tensor/tensor';
import { Optimizer } from './optimizer';

const unscaleAll = rawOp('_amp_foreach_non_finite_check_and_unscale_', '', [
  'self',
  'found_inf',
  'inv_scale',
]);
const updateScale = rawOp('_amp_update_scale_', '', [
  'self',
  'growth_tracker',
  'found_inf',
  'scale_growth_factor',
  'scale_backoff_factor',
  'growth_interval',
]);

/** The options of `new GradScaler`. */
export interface GradScalerOptions {
  /** What losses are multiplied by at first; 65,536 where it isn't given. */
  readonly initScale?: number;
  /** What the scale is multiplied by after `growthInterval` steps in a row without an overflow; 2 where it isn't given. */
  readonly growthFactor?: number;
  /** What it is multiplied by after an overflow; 0.5 where it isn't given. */
  readonly backoffFactor?: number;
  /** 2,000 where it isn't given. */
  readonly growthInterval?: number;
  /** false makes a scaler that changes nothing, so that a loop needs no second form for float32. */
  readonly enabled?: boolean;
}

/** The state of a scaler, as `torch.amp.GradScaler` saves it; empty where it isn't enabled. */
export interface GradScalerStateDict {
  readonly scale?: number;
  readonly growth_factor?: number;
  readonly backoff_factor?: number;
  readonly growth_interval?: number;
  readonly _growth_tracker?: number;
}

const optionNames = ['initScale', 'growthFactor', 'backoffFactor', 'growthInterval', 'enabled'];
const hints = {
  ...{ init_scale: 'initScale', growth_factor: 'growthFactor' },
  ...{ backoff_factor: 'backoffFactor', growth_interval: 'growthInterval' },
};

/** How far an optimizer is since the last update. */
interface Progress {
  /** A number on the device of its gradients that isn't 0 where one was infinite or no number. */
  readonly found: Tensor;
  /** Whether that was made for it. */
  readonly isOwn: boolean;
  stepped: boolean;
}

/**
 * Multiplies losses by a large number, so that the gradients of float16 operators don't vanish, and divides the gradients by
 * it before a step. Where one is infinite then, the step is left out and the number made smaller. All of it is done on the
 * device, and nothing is read from there, where the optimizer has a fused step (`opt.explain()`); else `step` reads one number.
 *
 * Source: PyTorch's `torch.amp.GradScaler`.
 * @example
 * ```ts
 * const scaler = new GradScaler();
 * const loss = autocast({ dtype: 'float16' }, () => nn.crossEntropy(model.forward(x), y));
 * scaler.scale(loss).backward();
 * scaler.step(opt);
 * scaler.update();
 * opt.zeroGrad();
 * ```
 */
export class GradScaler {
  /** Whether it scales at all. */
  readonly isEnabled: boolean;
  #initScale: number;
  #growthFactor: number;
  #backoffFactor: number;
  #growthInterval: number;
  #initTracker = 0;
  #scale: Tensor | undefined;
  #tracker: Tensor | undefined;
  readonly #progress = new Map<Optimizer, Progress>();

  /** @throws UnknownOptionError for an option that it doesn't take; ArgumentError for a value out of range. */
  constructor(options: GradScalerOptions = {}) {
    checkOptions('GradScaler', options, optionNames, hints);
    const {
      initScale = 2 ** 16,
      growthFactor = 2,
      backoffFactor = 0.5,
      growthInterval = 2000,
      enabled = true,
    } = options;
    checkFactors('', { initScale, growthFactor, backoffFactor, growthInterval });
    checkFlag('GradScaler: enabled', enabled);
    this.isEnabled = enabled;
    this.#initScale = initScale;
    this.#growthFactor = growthFactor;
    this.#backoffFactor = backoffFactor;
    this.#growthInterval = growthInterval;
  }

  /** Returns `loss` times the scale: call `backward` on it. */
  scale(loss: Tensor): Tensor {
    const { device } = checkTensor('GradScaler.scale', loss);
    if (!this.isEnabled) return loss;
    const scale = (this.#scale ??= keep(full([], this.#initScale, { device })));
    this.#tracker ??= keep(full([], this.#initTracker, { device, dtype: 'int32' }));
    return tidy(() => loss.mul(scale.to(device)));
  }

  /**
   * Divides the gradients of an optimizer by the scale, in place; `step` does it, unless this was called before, to clip or
   * to read the true gradients. Nothing is read from the device.
   *
   * @throws ArgumentError without a gradient, before `scale`, when it was called since the last `update`, and for float16
   *   gradients.
   */
  unscale_(opt: Optimizer): void {
    if (!this.isEnabled) return;
    this.#unscale('GradScaler.unscale_', opt);
  }

  /** @internal The same, with what it finds in `flag`, which a captured step can read: a number on the device of all gradients. */
  unscaleInto(opt: Optimizer, flag: Tensor): void {
    if (this.isEnabled) this.#unscale('GradScaler.unscaleInto', opt, flag);
  }

  #unscale(where: string, opt: Optimizer, into?: Tensor): Progress {
    const { scale } = this.#started(where);
    if (this.#progress.has(checkOptimizer(where, opt))) {
      throw new ArgumentError(
        `${where}: expected an optimizer whose gradients are scaled, got one that was unscaled since the last update; call update() after each step`,
      );
    }
    const byDevice = gradientsByDevice(where, opt);
    const found = noGrad(() =>
      tidy(() => {
        const inverse = scale.double().reciprocal().float();
        const flags = Array.from(byDevice, ([device, lists]) => {
          const flag = into?.zero_() ?? full([], 0, { device });
          const factor = Tensor.handleOf(inverse.to(device));
          for (const grads of lists.values()) {
            unscaleAll(
              grads.map((grad) => Tensor.handleOf(grad)),
              Tensor.handleOf(flag),
              factor,
            );
          }
          return flag;
        });
        return sumOf(flags);
      }),
    );
    const progress = { found: into ? found : keep(found), isOwn: !into, stepped: false };
    this.#progress.set(opt, progress);
    return progress;
  }

  /**
   * Tells whether a gradient was infinite or no number when it was unscaled, since the last `update`: then `step` leaves the
   * step out. Reads one number from the device, and so waits for it.
   *
   * @throws ArgumentError when it wasn't.
   */
  foundInf(opt: Optimizer): boolean {
    const progress = this.#progress.get(checkOptimizer('GradScaler.foundInf', opt));
    if (progress) return progress.found.item() !== 0;
    throw new ArgumentError(
      'GradScaler.foundInf: expected an optimizer that was unscaled since the last update, got one that was not; call unscale_(opt) first',
    );
  }

  /**
   * Unscales the gradients of an optimizer, unless that was done, and takes its step, or leaves it out where a gradient is
   * infinite or no number: `foundInf` tells, before `update`.
   *
   * @throws ArgumentError when it was called since the last `update`, and as `unscale_`.
   */
  step(opt: Optimizer): void {
    if (!this.isEnabled) {
      opt.step();
      return;
    }
    const where = 'GradScaler.step';
    const progress = this.#progress.get(opt) ?? this.#unscale(where, opt);
    if (progress.stepped) {
      throw new ArgumentError(
        `${where}: expected one step of an optimizer between two updates, got a second; call update() after each step`,
      );
    }
    opt.stepUnless(progress.found);
    progress.stepped = true;
  }

  /**
   * Makes the scale smaller where a step since the last update was left out, larger after `growthInterval` steps without one:
   * call it once after the steps of all optimizers. Nothing is read from the device.
   *
   * @param newScale the scale from now on, instead.
   * @throws ArgumentError when nothing was unscaled since the last update.
   */
  update(newScale?: number): void {
    if (!this.isEnabled) return;
    const { scale, tracker } = this.#started('GradScaler.update');
    if (newScale !== undefined) {
      check('.update', newScale, 'a positive number', isScale);
      noGrad(() => scale.fill_(newScale));
    } else {
      const flags = Array.from(this.#progress.values(), ({ found }) => found);
      if (flags.length === 0) {
        throw new ArgumentError(
          'GradScaler.update: expected a step since the last update, got none; call step(opt) first',
        );
      }
      noGrad(() =>
        tidy(() => {
          const found = sumOf(flags).to(scale.device);
          updateScale(
            ...[scale, tracker, found].map((each) => Tensor.handleOf(each)),
            ...[this.#growthFactor, this.#backoffFactor, this.#growthInterval],
          );
        }),
      );
    }
    this.forget();
  }

  /** @internal Takes no notice of what was unscaled since the last update. */
  forget(): void {
    for (const { found, isOwn } of this.#progress.values()) if (isOwn) found.dispose();
    this.#progress.clear();
  }

  #started(where: string): { scale: Tensor; tracker: Tensor } {
    const [scale, tracker] = [this.#scale, this.#tracker];
    if (scale && tracker) return { scale, tracker };
    throw new ArgumentError(
      `${where}: expected a loss that was scaled before, got none; call scale(loss).backward() first`,
    );
  }

  /** Reads the scale from its device; 1 where the scaler isn't enabled. */
  getScale(): number {
    return this.isEnabled ? (this.#scale?.item() ?? this.#initScale) : 1;
  }

  /** Copies the state, under the names that PyTorch saves it by. */
  stateDict(): GradScalerStateDict {
    if (!this.isEnabled) return {};
    return {
      scale: this.getScale(),
      growth_factor: this.#growthFactor,
      backoff_factor: this.#backoffFactor,
      growth_interval: this.#growthInterval,
      _growth_tracker: this.#tracker?.item() ?? this.#initTracker,
    };
  }

  /**
   * Takes over a state.
   *
   * @throws ArgumentError when one of its numbers is missing, as in the state of a scaler that isn't enabled, or out of range.
   */
  loadStateDict(dict: GradScalerStateDict): void {
    if (!this.isEnabled) return;
    if (!isFullState(dict)) {
      throw new ArgumentError(
        `GradScaler.loadStateDict: expected the state of an enabled scaler, got ${inspect(dict)}`,
      );
    }
    const { scale, growth_factor, backoff_factor, growth_interval, _growth_tracker } = dict;
    checkFactors('.loadStateDict', {
      ...{ initScale: scale, growthFactor: growth_factor },
      ...{ backoffFactor: backoff_factor, growthInterval: growth_interval },
    });
    const counts = (steps: number): boolean => Number.isSafeInteger(steps) && steps >= 0;
    check('.loadStateDict: _growth_tracker', _growth_tracker, 'a whole number from 0', counts);
    this.#initScale = scale;
    this.#initTracker = _growth_tracker;
    this.#growthFactor = growth_factor;
    this.#backoffFactor = backoff_factor;
    this.#growthInterval = growth_interval;
    noGrad(() => {
      this.#scale?.fill_(scale);
      this.#tracker?.fill_(_growth_tracker);
    });
  }

  /** Frees the scale. The next `scale` begins with what it was at first, or was loaded. */
  dispose(): void {
    this.forget();
    this.#scale?.dispose();
    this.#tracker?.dispose();
    this.#scale = this.#tracker = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

const stateNames = [
  'scale',
  'growth_factor',
  'backoff_factor',
  'growth_interval',
  '_growth_tracker',
];

function isFullState(dict: unknown): dict is Required<GradScalerStateDict> {
  if (typeof dict !== 'object' || dict === null) return false;
  const entries = new Map<string, unknown>(Object.entries(dict));
  return stateNames.every((name) => typeof entries.get(name) === 'number');
}

const isScale = (scale: number): boolean => scale > 0 && scale < Infinity;

function check(
  where: string,
  value: unknown,
  expected: string,
  fits: (value: number) => boolean,
): void {
  if (typeof value === 'number' && fits(value)) return;
  throw new ArgumentError(`GradScaler${where}: expected ${expected}, got ${inspect(value)}`);
}

function checkFactors(where: string, factors: Omit<Required<GradScalerOptions>, 'enabled'>): void {
  check(`${where}: initScale`, factors.initScale, 'a positive number', isScale);
  const grows = (factor: number): boolean => factor > 1;
  check(`${where}: growthFactor`, factors.growthFactor, 'a number above 1', grows);
  const shrinks = (factor: number): boolean => factor > 0 && factor < 1;
  check(`${where}: backoffFactor`, factors.backoffFactor, 'a number between 0 and 1', shrinks);
  const counts = (steps: number): boolean => Number.isSafeInteger(steps) && steps > 0;
  check(`${where}: growthInterval`, factors.growthInterval, 'a positive integer', counts);
}

function checkOptimizer(where: string, opt: Optimizer): Optimizer {
  const value: unknown = opt;
  if (value instanceof Optimizer) return opt;
  throw new ArgumentError(`${where}: expected an optimizer, got ${inspect(opt, { depth: 0 })}`);
}

// On the device of the first of them, of which there is at least one.
function sumOf(flags: readonly Tensor[]): Tensor {
  return flags.reduce((sum, flag) => sum.add(flag.to(sum.device)));
}

// The operator takes gradients of one device and one dtype.
function gradientsByDevice(where: string, opt: Optimizer): Map<Device, Map<string, Tensor[]>> {
  const devices = new Map<Device, Map<string, Tensor[]>>();
  for (const p of opt.paramLists.flat()) {
    const { grad } = p;
    if (!grad) continue;
    const { device, dtype } = grad;
    if (dtype === 'float16') {
      throw new ArgumentError(
        `${where}: expected gradients of float32, got float16; keep the parameters in float32, and let autocast cast them`,
      );
    }
    const lists = devices.get(device) ?? new Map<string, Tensor[]>();
    const list = lists.get(dtype) ?? [];
    list.push(grad);
    devices.set(device, lists.set(dtype, list));
  }
  if (devices.size > 0) return devices;
  throw new ArgumentError(
    `${where}: expected an optimizer whose parameters have gradients, got one without any; call scale(loss).backward() first`,
  );
}
