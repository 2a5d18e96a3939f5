import { native } from '../internal/binding';
import { checkOptions } from '../internal/options';

/** Sets how many threads an operator may use, from 1 up; all cores by default. */
export function setNumThreads(count: number): void {
  native.setNumThreads(count);
}

export function getNumThreads(): number {
  return native.numThreads();
}

/**
 * Makes operators give the same bits each time, or throw where libtorch knows no such way.
 *
 * @param options.warnOnly warns on stderr instead of throwing.
 */
export function useDeterministicAlgorithms(
  on: boolean,
  options: { readonly warnOnly?: boolean } = {},
): void {
  checkOptions('useDeterministicAlgorithms', options, ['warnOnly'], { warn_only: 'warnOnly' });
  native.setDeterministic(on, options.warnOnly ?? false);
}

/** What was loaded. */
export interface Version {
  /** libtorch's version, as the addon was built against it. */
  readonly libtorch: string;
  /** Whether this libtorch can use CUDA here. */
  readonly cuda: boolean;
  /** The Node-API that the addon registered for; the experimental one, whose finalizers run at once. */
  readonly napi: number;
}

export function version(): Version {
  const { libtorch, cuda, napiVersion } = native.info();
  return { libtorch, cuda, napi: napiVersion };
}
