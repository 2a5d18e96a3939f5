import { TorchError } from '../internal/errors';
import type { Tensor } from '../tensor/tensor';
import { noExtras, type StepExtras } from './extras';
import type { FusedEngine, FusedRun } from './fused';

/** The options of a step in a graph. */
export interface CaptureOptions {
  /** Fills every gradient with zeros, in the same pass. */
  readonly zeroGrad?: boolean;
  /** A number of float32 on the device of the parameters: where it isn't 0, a step does nothing and isn't counted. */
  readonly skip?: Tensor | undefined;
}

/** Where a captured step comes from. */
export interface StepSource {
  readonly engine: FusedEngine;
  /** What a step works on now. */
  readonly run: () => FusedRun;
  /** Why a step would no longer be this one. */
  readonly whyNot: () => string | undefined;
}

/**
 * An optimizer's step that is recorded in a CUDA graph, and taken whenever the graph is replayed. The device counts the steps
 * meanwhile, and hyper-parameters lie there, written anew before each replay. A step of the optimizer's own takes the
 * counts back, the next replay gives them to the device again.
 */
export class CapturedStep {
  readonly #source: StepSource;
  readonly #extras: StepExtras;
  readonly #skip: Tensor | undefined;

  constructor(source: StepSource, { zeroGrad = false, skip }: CaptureOptions) {
    this.#source = source;
    this.#extras = { ...noExtras, zeroGrad };
    this.#skip = skip;
  }

  /** Whether it zeroes the gradients. */
  get zeroesGrad(): boolean {
    return this.#extras.zeroGrad;
  }

  /** Gives the counts to the device, which can't be done while recording; or tells why not. */
  begin(): string | undefined {
    const { engine, run } = this.#source;
    return engine.hold(run(), this.#extras);
  }

  /**
   * Takes the step: to record it.
   *
   * @throws TorchError when it can't.
   */
  take(): void {
    const { engine, run } = this.#source;
    const reason = engine.stepHeld(run(), this.#extras, this.#skip);
    if (reason !== undefined) throw new TorchError(`the optimizer's step: ${reason}`);
    engine.noteRecorded();
  }

  /** Prepares a replay; or tells why it would no longer do what the next step is to do. */
  ready(): string | undefined {
    const { engine, run, whyNot } = this.#source;
    const now = run();
    return whyNot() ?? engine.prepareReplay(now, this.#extras);
  }

  /** Hears of a replay. */
  arrive(): void {
    this.#source.engine.advance();
  }

  /** Takes the counts back, and so waits for the device. */
  end(): void {
    this.#source.engine.release();
  }
}
