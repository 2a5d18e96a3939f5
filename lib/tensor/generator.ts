import { inspect } from 'node:util';
import { native } from '../internal/binding';
import { ArgumentError } from '../internal/errors';
import type { GeneratorHandle } from '../internal/native';
import { checkOptions } from '../internal/options';
import type { Device } from './dtype';
import { Tensor, checkTensor } from './tensor';

function seedOf(where: string, seed: number | bigint): bigint {
  if (typeof seed === 'bigint' || Number.isSafeInteger(seed))
    return BigInt.asUintN(64, BigInt(seed));
  throw new ArgumentError(
    `${where}: expected an integer from -2^63 to 2^64 - 1, got ${inspect(seed, { depth: 0 })}`,
  );
}

/** Seeds the default random generators of all devices. The same seed gives the same numbers, also in other threads. */
export function manualSeed(seed: number | bigint): void {
  native.manualSeed(seedOf('manualSeed', seed));
}

/**
 * A stream of random numbers of its own, for the `generator` option of `rand`, `randn`, `randperm`, `bernoulli_`, ...
 * Source: Mersenne Twister, as PyTorch's CPU generator.
 */
export class Generator {
  /** Where it draws numbers. */
  readonly device: Device;
  readonly #handle: GeneratorHandle;

  /** @param options.seed where the stream begins; PyTorch's own default is 67280421310721. */
  constructor(options: { readonly device?: Device; readonly seed?: number | bigint } = {}) {
    checkOptions('Generator', options, ['device', 'seed']);
    this.device = options.device ?? 'cpu';
    this.#handle = native.createGenerator(this.device);
    if (options.seed !== undefined) this.manualSeed(options.seed);
  }

  /** @internal */
  static handleOf(generator: Generator): GeneratorHandle {
    return generator.#handle;
  }

  manualSeed(seed: number | bigint): this {
    native.generatorSetSeed(this.#handle, seedOf('Generator.manualSeed', seed));
    return this;
  }

  /** Returns where the stream stands, as a uint8 tensor. */
  getState(): Tensor {
    return new Tensor(native.generatorState(this.#handle));
  }

  setState(state: Tensor): void {
    native.generatorSetState(
      this.#handle,
      Tensor.handleOf(checkTensor('Generator.setState', state)),
    );
  }
}

/** Refuses what is no generator; none is given where it is undefined. */
export function checkGenerator(where: string, value: unknown): void {
  if (value === undefined || value instanceof Generator) return;
  throw new ArgumentError(
    `${where}: expected a Generator, got ${inspect(value, { depth: 0 })}; make one with new Generator({ seed })`,
  );
}

/** Returns the state of the default generator of a device, as a uint8 tensor. */
export function getRngState(device: Device = 'cpu'): Tensor {
  return new Tensor(native.generatorState(native.defaultGenerator(device)));
}

/** Sets the state of the default generator of a device, as `getRngState` gave it. */
export function setRngState(state: Tensor, device: Device = 'cpu'): void {
  native.generatorSetState(
    native.defaultGenerator(device),
    Tensor.handleOf(checkTensor('setRngState', state)),
  );
}
