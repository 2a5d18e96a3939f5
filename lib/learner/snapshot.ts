import { DataLoader } from '../data/data-loader';
import type { StateDict } from '../nn/state';
import type { Optimizer, OptimizerStateDict } from '../optim';
import type { Device } from '../tensor/dtype';
import { getRngState, setRngState } from '../tensor/generator';
import { noGrad } from '../tensor/autograd';
import { Scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { Learner } from './learner';

/** Copies in memory what training changes: weights, buffers, modes, gradients, the optimizer, the random generators. */
export class Snapshot {
  readonly #learn: Learner;
  readonly #opt: Optimizer;
  readonly #scope = new Scope();
  readonly #model: StateDict;
  readonly #modes: readonly boolean[];
  readonly #grads: readonly (Tensor | undefined)[];
  readonly #optState: OptimizerStateDict;
  readonly #defaults: readonly (readonly [Device, Tensor])[];
  readonly #orders: readonly (Tensor | undefined)[];

  constructor(learn: Learner, opt: Optimizer) {
    this.#learn = learn;
    this.#opt = opt;
    const { model, device = 'cpu' } = learn;
    // The copies belong to the scope, which isn't entered while anybody awaits.
    const copy = <T>(make: () => T): T => this.#scope.run(() => noGrad(make));
    this.#model = copy(() => model.stateDict());
    this.#modes = model.modules().map(({ training }) => training);
    this.#grads = copy(() => model.parameters().map((p) => p.grad?.clone()));
    this.#optState = copy(() => opt.stateDict());
    this.#defaults = copy(() =>
      [...new Set<Device>(['cpu', device])].map((each) => [each, getRngState(each)] as const),
    );
    this.#orders = copy(() => this.#generators().map((generator) => generator?.getState()));
  }

  #generators() {
    const { train, valid } = this.#learn.dls;
    return [train, valid].map((dl) => (dl instanceof DataLoader ? dl.generator : undefined));
  }

  /** Puts everything back, and frees the copies. */
  restore(): void {
    const { model } = this.#learn;
    model.loadStateDict(this.#model);
    for (const [i, module] of model.modules().entries()) module.setTraining(this.#modes[i] ?? true);
    for (const [i, p] of model.parameters().entries()) restoreGrad(p, this.#grads[i]);
    this.#opt.loadStateDict(this.#optState);
    for (const [device, state] of this.#defaults) setRngState(state, device);
    for (const [i, generator] of this.#generators().entries()) {
      const state = this.#orders[i];
      if (state) generator?.setState(state);
    }
    this.#scope.dispose();
  }
}

function restoreGrad(p: Tensor, saved: Tensor | undefined): void {
  const { grad } = p;
  if (saved) noGrad(() => grad?.copy_(saved));
  else {
    p.grad = null;
    grad?.dispose();
  }
}
