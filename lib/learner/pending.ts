import { noGrad } from '../tensor/autograd';
import { zeros } from '../tensor/create';
import { keep, tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

const capacity = 256;

/**
 * Collects tensors of one number where they are, and reads them later, many at once: to read one, the program has to wait
 * until a GPU has come so far.
 */
export class PendingNumbers {
  readonly #take: (value: number) => void;
  // float64 [capacity]
  #buffer: Tensor | undefined;
  #count = 0;

  /** @param take gets each number, in the order in which they were added. */
  constructor(take: (value: number) => void) {
    this.#take = take;
  }

  /** Adds a number, the mean where the tensor has several. */
  add(value: Tensor): void {
    const { device } = value;
    if (this.#buffer && this.#buffer.device !== device) this.read();
    const buffer = (this.#buffer ??= keep(zeros([capacity], { dtype: 'float64', device })));
    noGrad(() =>
      tidy(() => {
        const mean = value.numel === 1 ? value : value.double().mean();
        buffer.narrow(0, this.#count, 1).copy_(mean.reshape([1]));
      }),
    );
    this.#count += 1;
    if (this.#count === capacity) this.read();
  }

  /** Reads all that were added since the last time. */
  read(): void {
    const numbers = this.#buffer?.data().subarray(0, this.#count) ?? [];
    this.clear();
    for (const each of numbers) this.#take(Number(each));
  }

  /** Forgets all that were added since the last reading. */
  clear(): void {
    this.#buffer?.dispose();
    this.#buffer = undefined;
    this.#count = 0;
  }
}
