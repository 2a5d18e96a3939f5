import {
  Callback,
  GradientAccumulation,
  GradientClip,
  type Learner,
  manualSeed,
  keep,
  memory,
  nn,
  ones,
  SGD,
  type Tensor,
  type LearnerOptions,
} from '../../lib/index';
import { StepGraph } from '../../lib/learner/capture';
import type { Record } from '../../lib/learner/recording';
import { onGpu } from '../support/cuda';
import { numbers, thrown } from '../support/tensors';
import { both, eagerly, expectSame, learnerOf, type Prepare } from './graphs';
import { failure, tinyModel } from './tiny';

test('training with a graph is training without', async () => {
  const learners = await both(() => ({ metrics: (pred) => pred.mean() }));
  expectSame(learners);
  expect(learners[0].explain()).toBe(
    "replayed 9 of 15 training batches as a graph, the optimizer's step with them; the others not: warming up (3); other sizes than float32[4, 3], int64[4] (3)",
  );
  expect(learners[1].explain()).toBe(
    'capture() was not called: each batch is computed step by step',
  );
});

test.each<[string, () => Partial<LearnerOptions>, Prepare]>([
  ['clipped gradients', () => ({ cbs: new GradientClip(0.1) }), () => undefined],
  ['accumulated gradients', () => ({ cbs: new GradientAccumulation(8) }), () => undefined],
  ['half precision', () => ({}), (learn) => learn.toBf16()],
  [
    'a scaled loss',
    () => ({ cbs: new GradientClip(0.1) }),
    (learn) => learn.toFp16({ growthInterval: 2 }),
  ],
  [
    'metrics of the training set',
    () => ({ metrics: (pred) => pred.std() }),
    (learn) => (learn.recorder.trainMetrics = true),
  ],
  ['another optimizer', () => ({ optFunc: SGD }), () => undefined],
])('%s come out the same', async (_, options, prepare) => {
  const learners = await both(options, prepare);
  expectSame(learners);
  expect(learners[0].explain()).toMatch(/^replayed 9 of 15 /);
});

test('callbacks see the batch as ever, but for the events within the graph', async () => {
  const seen: string[] = [];
  const values: number[][] = [];
  const cbs = new Callback({
    beforeBatch: () => void seen.push('batch'),
    afterBackward: ({ x, model }) => {
      seen.push('backward');
      values.push(numbers(x), numbers(model.parameters()[0]!.grad!));
    },
    beforeStep: ({ pred, loss, lossGrad }) => {
      values.push([...numbers(pred), loss.item(), lossGrad.item()]);
    },
    afterBatch: () => void seen.push('done'),
  });
  const [graph] = await both(() => ({ cbs }));
  expect(graph.explain()).toMatch(/^replayed 9 /);
  const half = values.length / 2;
  expect(values.slice(0, half)).toEqual(values.slice(half));
  expect(seen.slice(0, seen.length / 2)).toEqual(seen.slice(seen.length / 2));
});

test('a callback that listens within the graph keeps batches out of it, unless it is capturable', async () => {
  class Watch extends Callback {
    override afterLoss() {}
    override beforeBackward() {}
  }
  const [graph, plain] = await both(() => ({ cbs: new Watch() }));
  expectSame([graph, plain]);
  expect(graph.explain()).toBe(
    "replayed 0 of 15 training batches as a graph; the others not: Watch listens to afterLoss and beforeBackward, and isn't capturable (15)",
  );
  class Double extends Callback {
    override capturable = true;
    override afterLoss(learn: Learner) {
      learn.lossGrad = learn.lossGrad.mul(2);
    }
  }
  const doubled = await both(() => ({ cbs: new Double() }));
  expectSame(doubled);
  expect(doubled[0].explain()).toMatch(/^replayed 9 /);
});

test.each<[string, (model: nn.Module) => unknown]>([
  ['gradients', (model) => model.parameters().forEach((p) => (p.grad = keep(p.grad!.clone())))],
  ['the memory of a weight', (model) => model.parameters()[0]!.setData(ones([8, 3]))],
  ['the memory of a buffer', (model) => model.buffers()[0]!.setData(ones([8]))],
  ['the mode of a layer', (model) => model.children()[3]!.eval()],
])('%s: who changes that in the middle of a fit has the batch recorded anew', async (_, change) => {
  const cb = () =>
    new Callback({
      beforeBatch: (learn) => {
        if (learn.training && learn.trainIter === 6) change(learn.model);
      },
      afterBackward: () => undefined, // keeps the step apart, which would look at its own tensors
    });
  const learners = await both(() => ({ cbs: cb() }));
  expectSame(learners);
  expect(learners[0].explain()).toContain('warming up (7)');
});

test('gradients that only the graph would have are left out of it', async () => {
  const cb = () => new Callback({ afterBatch: ({ model }) => void model.zeroGrad() });
  const learners = await both(() => ({ cbs: cb() }));
  expectSame(learners);
  expect(learners[0].explain()).toBe(
    "replayed 0 of 15 training batches as a graph; the others not: warming up (3); the batch can't be recorded: a parameter has no gradient from the batch before (12)",
  );
});

test('whether there are graphs is asked again before one is recorded', async () => {
  const learn = learnerOf({}, tinyModel());
  const answers = [undefined, 'the model is on cuda:1, and the current GPU is 0'];
  learn.stepGraph = new StepGraph(eagerly(learn), () => answers.shift());
  await learn.fit(1);
  expect(learn.explain()).toContain('warming up (3); the model is on cuda:1');
});

test('what cannot be recorded goes its usual way, and it is told why', async () => {
  const model = tinyModel();
  const [graph, plain] = [learnerOf({}, model), learnerOf({}, model.clone())];
  graph.stepGraph = new StepGraph(
    () => {
      throw new Error('operation not permitted when stream is capturing');
    },
    () => undefined,
  );
  for (const learn of [graph, plain]) {
    manualSeed(9);
    await learn.fit(2);
  }
  expectSame([graph, plain]);
  expect(graph.explain()).toBe(
    "replayed 0 of 10 training batches as a graph; the others not: warming up (3); the batch can't be recorded: operation not permitted when stream is capturing (7)",
  );
});

test('a fit fails with what a replay failed with, even where the graph cannot be freed then', async () => {
  const learn = learnerOf({}, tinyModel());
  const fail = (message: string) => () => {
    throw new Error(message);
  };
  const record: Record = (work) => ({
    ...eagerly(learn)(work),
    ...{ replay: fail('an illegal memory access'), dispose: fail('and nothing works any more') },
  });
  learn.stepGraph = new StepGraph(record, () => undefined);
  expect((await failure(learn.fit(1))).message).toBe('an illegal memory access');
});

test('without a GPU a fit says so, and trains', async () => {
  const learn = learnerOf({ device: 'cpu' }, tinyModel());
  expect(learn.capture()).toBe(learn);
  await learn.fit(1);
  expect(learn.explain()).toBe(
    'replayed 0 of 5 training batches as a graph; the others not: the model is on cpu, and only a GPU has graphs (5)',
  );
  expect(learn.capture(false).explain()).toContain('capture() was not called');
});

test('the graph is freed with the fit, each fit has its own', async () => {
  const learn = learnerOf({}, tinyModel());
  let disposed = 0;
  const record = eagerly(learn);
  learn.stepGraph = new StepGraph(
    (work) => ({ ...record(work), dispose: () => void (disposed += 1) }),
    () => undefined,
  );
  await learn.fit(1);
  const before = memory().tensors;
  await learn.fit(1);
  expect([disposed, memory().tensors]).toEqual([2, before]);
});

onGpu('on a GPU, training with a graph is training without', async () => {
  manualSeed(4);
  // Without dropout, whose random numbers are others.
  const model = new nn.Sequential(
    ...[new nn.Linear(3, 8), new nn.BatchNorm1d(8), new nn.ReLU(), new nn.Linear(8, 2)],
  ).to('cuda');
  const learners = [model, model.clone()].map((each) =>
    learnerOf({ cbs: new GradientClip(1) }, each),
  );
  learners[0]!.capture();
  for (const learn of learners) await learn.fit(4);
  expect(learners[0]!.explain()).toMatch(/^replayed 13 of 20 .*the optimizer's step with them/);
  const [graph, plain] = learners.map((learn) => learn.recorder.losses);
  graph!.forEach((loss, i) => expect(loss).toBeCloseTo(plain![i]!, 3));
});

onGpu('on a GPU, a model that reads a number is not recorded', async () => {
  class Reads extends nn.Module {
    linear = new nn.Linear(3, 2);
    dropout = new nn.Dropout(0.5); // its random numbers have to go on
    override forward(x: Tensor): Tensor {
      return this.dropout.forward(this.linear.forward(x)).mul(x.sum().item() > 1e9 ? 2 : 1);
    }
  }
  const learn = learnerOf({}, new Reads().to('cuda')).capture();
  await learn.fit(2);
  expect(learn.explain()).toContain("the batch can't be recorded");
});

test.each([
  ['capture(false)', (learn: Learner) => learn.capture(false)],
  ['another capture()', (learn: Learner) => learn.capture()],
])('%s frees the graph, also in the middle of a fit', async (_, end) => {
  const learn = learnerOf({}, tinyModel());
  let disposed = 0;
  const record: Record = (work) => ({
    ...eagerly(learn)(work),
    dispose: () => void (disposed += 1),
  });
  learn.stepGraph = new StepGraph(record, () => undefined);
  const freed: number[] = [];
  const cb = new Callback({
    afterBatch: () => {
      if (learn.trainIter !== 4) return;
      const before = memory().tensors;
      end(learn);
      freed.push(before - memory().tensors);
    },
  });
  await learn.fit(2, { cbs: cb });
  expect(disposed).toBe(1);
  // The batch, prediction and loss, and what holds the memory of parameters and buffers.
  const { model } = learn;
  expect(freed).toEqual([2 + 2 + model.parameters().length + model.buffers().length]);
});

test('capture takes true or false', () => {
  const learn = learnerOf({}, tinyModel());
  // @ts-expect-error it is no flag
  expect(thrown(() => learn.capture('no'))).toMatchObject({
    code: 'ERR_TORCH_ARGUMENT',
    message: "capture: expected true or false, got 'no'",
  });
  expect(learn.stepGraph).toBeUndefined();
});
