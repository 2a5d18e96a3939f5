import type { ParamState } from './types';

/** The counts of an optimizer's steps while a device keeps them. */
export interface DeviceCounts {
  /** Step, `do_wd` and product of momentums of each parameter, as they were when they were last read. */
  readonly counters: Float64Array;
  /** Reads them anew, and so waits for the device. */
  readonly read: () => void;
  /** Takes them back from the device. */
  readonly end: () => void;
}

interface Shown {
  readonly state: ParamState;
  readonly key: string;
  readonly at: number;
  readonly get: () => number;
}

interface Absent extends Omit<Shown, 'get'> {
  readonly first: number;
}

// What a device counts, where it is in `fastopt_counters` in native/optim/fused/fused.h, and what it begins with.
const counted = [
  { key: 'step', place: 0, first: 0 },
  { key: 'mu_product', place: 2, first: 1 },
] as const;
const counterCount = 3;

/**
 * Lets states show what the device counts: who reads `step` waits for the device, who writes it takes all counts back from
 * there. So nobody sees another number than without a graph.
 */
export class HeldCounters {
  readonly #counts: DeviceCounts;
  readonly #shown: Shown[] = [];
  readonly #absent: Absent[] = [];
  #isRead = true;

  constructor(states: readonly ParamState[], counts: DeviceCounts) {
    this.#counts = counts;
    for (const [i, state] of states.entries()) {
      for (const { key, place, first } of counted) {
        const at = i * counterCount + place;
        if (typeof state[key] === 'number') this.#show(state, key, at);
        else this.#absent.push({ state, key, at, first });
      }
    }
  }

  #show(state: ParamState, key: string, at: number): void {
    const get = (): number => this.#value(at);
    Object.defineProperty(state, key, {
      ...{ configurable: true, enumerable: true, get },
      set: (value: unknown) => {
        this.#counts.end();
        state[key] = value;
      },
    });
    this.#shown.push({ state, key, at, get });
  }

  #value(at: number): number {
    if (!this.#isRead) this.#counts.read();
    this.#isRead = true;
    return this.#counts.counters[at] ?? NaN;
  }

  /** Hears of a step on the device. */
  advance(): void {
    this.#isRead = false;
  }

  /** Whether nobody has deleted a count. */
  get isWhole(): boolean {
    return this.#shown.every(({ state, key }) => key in state);
  }

  /** Gives the states plain numbers again, once the counts are back. */
  restore(): void {
    for (const { state, key, at, get } of this.#shown) {
      if (Object.getOwnPropertyDescriptor(state, key)?.get !== get) continue;
      const value = this.#counts.counters[at];
      Object.defineProperty(state, key, {
        ...{ configurable: true, enumerable: true, writable: true, value },
      });
    }
    for (const { state, key, at, first } of this.#absent) {
      const value = this.#counts.counters[at];
      if (!(key in state) && value !== first) state[key] = value;
    }
  }
}
