import {
  Adam,
  type Callback,
  GradientAccumulation,
  Learner,
  manualSeed,
  getDefaultDevice,
  getRngState,
  setRngState,
  keep,
  MixedPrecision,
  nn,
  noGrad,
  Tensor,
  type LearnerOptions,
} from '../../lib/index';
import { StepGraph } from '../../lib/learner/capture';
import type { Record } from '../../lib/learner/recording';
import { tinyData, tinyModel, weights } from './tiny';

// Notes all that a batch changes, and returns what puts it back.
function note(learn: Learner): () => void {
  const { model, opt } = learn;
  const dict = model.stateDict();
  const device = getDefaultDevice(); // whose random numbers dropout draws
  const rng = getRngState(device);
  const scaler = learn.cbs.find((cb) => cb instanceof MixedPrecision)?.scaler;
  const scale = scaler?.stateDict();
  const grads = model.parameters().map((p) => p.grad?.clone());
  const states = opt!.paramLists.flat().map((p) => opt!.state.get(p));
  const values = states.map((state) =>
    Object.entries(state).map(
      ([key, value]) => [key, value instanceof Tensor ? value.clone() : value] as const,
    ),
  );
  return () => {
    model.loadStateDict(dict);
    setRngState(rng, device);
    if (scale) scaler?.loadStateDict(scale);
    model.parameters().forEach((p, i) => {
      if (grads[i]) p.grad!.copy_(grads[i]);
      else p.grad?.fill_(NaN); // memory that nothing has been written to
    });
    noGrad(() =>
      states.forEach((state, i) => {
        for (const [key, value] of values[i]!) {
          if (value instanceof Tensor) (state[key] as Tensor).copy_(value);
          else if (state[key] !== value) state[key] = value;
        }
      }),
    );
  };
}

// Takes the place of a callback in a replay, which runs no JavaScript: what one keeps for itself stays as it is.
function understudy(cb: Callback): Callback {
  if (cb instanceof GradientAccumulation) return new GradientAccumulation(cb.nAcc);
  if (!(cb instanceof MixedPrecision)) return cb;
  return Object.assign(new MixedPrecision(cb.ampMode), { scaler: cb.scaler });
}

// Stands for a GPU's graph: recording leaves no trace, a replay reads and writes the tensors that the recording did.
export const eagerly =
  (learn: Learner): Record =>
  (work) => {
    const batch = [learn.xb, learn.yb] as const;
    const putBack = note(learn);
    const understudies = learn.cbs.map(understudy);
    let outputs: Tensor[];
    try {
      outputs = keep(work().map((each) => each.clone()));
    } finally {
      putBack();
    }
    return {
      outputs,
      replay: () => {
        learn.setBatch(...batch);
        learn.isRecording = true;
        const cbs = learn.cbs.splice(0, Infinity, ...understudies);
        work().forEach((each, i) => outputs[i]!.copy_(each));
        learn.cbs.splice(0, Infinity, ...cbs);
        learn.isRecording = false;
      },
      dispose: () => {},
    };
  };

export type Prepare = (learn: Learner) => unknown;

export function learnerOf(options: Partial<LearnerOptions>, model: nn.Module): Learner {
  // Four batches of 4 items and one of 2.
  const dls = { train: tinyData(18), valid: tinyData(8, 2) };
  return new Learner(dls, model, {
    ...{ lossFunc: nn.crossEntropy, optFunc: Adam, lr: 0.01, progress: false },
    ...options,
  });
}

/** Trains with a graph and without, and returns both learners. */
export async function both(
  options: () => Partial<LearnerOptions>,
  prepare: Prepare = () => undefined,
): Promise<readonly [graph: Learner, plain: Learner]> {
  manualSeed(4);
  const model = tinyModel();
  const twin = model.clone();
  const learners = [learnerOf(options(), model), learnerOf(options(), twin)] as const;
  const [graph] = learners;
  graph.stepGraph = new StepGraph(eagerly(graph), () => undefined);
  for (const learn of learners) {
    prepare(learn);
    manualSeed(9);
    await learn.fitOneCycle(3, { lrMax: 0.02 });
  }
  return learners;
}

export function expectSame([graph, plain]: readonly [Learner, Learner]): void {
  expect(graph.recorder.losses).toEqual(plain.recorder.losses);
  expect(graph.recorder.values).toEqual(plain.recorder.values);
  expect(weights(graph)).toEqual(weights(plain));
}
