import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  accuracy,
  AvgMetric,
  AvgSmoothLoss,
  Callback,
  CancelFitException,
  CancelTrainException,
  CancelValidException,
  DataLoader,
  errorRate,
  Learner,
  mae,
  memory,
  mse,
  nn,
  tensor,
  topKAccuracy,
} from '../../lib/index';
import { thrown } from '../support/tensors';
import { at, tinyData, tinyLearner, tinyModel } from './tiny';

const golden = JSON.parse(readFileSync(join(__dirname, '../golden/learner.json'), 'utf8')) as {
  smooth: { losses: number[]; values: number[] };
};

test('the smoothed loss is that of torch.lerp', () => {
  const smooth = new AvgSmoothLoss();
  expect(smooth.value).toBeUndefined();
  const values = golden.smooth.losses.map((loss) => {
    smooth.add(loss);
    return smooth.value;
  });
  values.forEach((value, i) => expect(value).toBeCloseTo(golden.smooth.values[i]!, 12));
  [2, 1.4949494949, 2.3468915794].forEach((value, i) => expect(values[i]).toBeCloseTo(value, 9));
  smooth.reset();
  expect([smooth.value, smooth.count]).toEqual([undefined, 0]);
});

test('the metrics are their formulas', () => {
  const scores = tensor([
    [0.1, 0.9, 0],
    [0.8, 0.1, 0.1],
    [0.2, 0.3, 0.5],
    [0.5, 0.4, 0.1],
  ]);
  const classes = tensor([1n, 0n, 1n, 1n]);
  expect(accuracy(scores, classes).item()).toBe(0.5);
  expect(errorRate(scores, classes).item()).toBe(0.5);
  expect(topKAccuracy(scores, classes, 2).item()).toBe(1);
  expect(topKAccuracy(scores, classes, 1).item()).toBe(0.5);
  expect(mse(tensor([[1], [2]]), tensor([0, 4])).item()).toBe(2.5);
  expect(mae(tensor([[1], [2]]), tensor([0, 4])).item()).toBe(1.5);
  expect(thrown(() => accuracy(scores, tensor([1n]))).message).toBe(
    'accuracy: expected as many predictions as targets, got [4] and [1]',
  );
});

test('metrics and the validation loss weigh batches by their size', async () => {
  const x = tensor([[0], [0], [0], [1]]);
  const valid = new DataLoader([x, tensor([[1], [1], [1], [5]])], { bs: 3 });
  const model = new nn.Linear(1, 1);
  for (const p of model.parameters()) p.detach().zero_();
  const learn = new Learner({ train: [], valid }, model, {
    lossFunc: nn.mseLoss,
    metrics: [mae, (p, t) => p.sub(t).abs()],
    progress: false,
  });
  // losses 1 and 25 of 3 and 1 items; distances 1 and 5
  expect(await learn.validate()).toEqual([7, 2, 2]);
});

test("what was recorded is plain numbers, under fastai's names", async () => {
  const learn = tinyLearner({ metrics: [accuracy, topK, new AvgMetric(errorRate, 'wrong')] });
  function topK(): number {
    return 1;
  }
  await learn.fit(2);
  const { recorder } = learn;
  expect(recorder.metricNames).toEqual([
    'epoch',
    'train_loss',
    'valid_loss',
    'accuracy',
    'top_k',
    'wrong',
    'time',
  ]);
  expect(recorder.values).toHaveLength(2);
  expect(recorder.values.flat().every((value) => typeof value === 'number')).toBe(true);
  const [trainLoss, , acc, one, wrong] = recorder.values[1]!;
  expect(trainLoss).toBe(recorder.losses[7]);
  expect(acc! + wrong!).toBeCloseTo(1, 6);
  expect(one).toBe(1);
  expect(recorder.iters).toEqual([4, 8]);
  expect(recorder.lrs).toEqual(Array(8).fill(1e-3));
  expect(recorder.seconds).toHaveLength(2);
  expect(learn.finalRecord).toBe(recorder.values[1]);
  expect(learn.smoothLoss).toBe(recorder.losses[7]);
});

test('the smoothed loss goes on from epoch to epoch', async () => {
  const losses: number[] = [];
  const learn = tinyLearner({
    cbs: new Callback({
      afterLoss: (l) => {
        if (l.training) losses.push(l.loss.item());
      },
    }),
  });
  await learn.fit(2);
  const smooth = new AvgSmoothLoss();
  expect(learn.recorder.losses).toEqual(losses.map((loss) => (smooth.add(loss), smooth.value)));
});

test('metrics of the training set too, or of none', async () => {
  const learn = tinyLearner({ metrics: accuracy });
  learn.recorder.trainMetrics = true;
  await learn.fit(1);
  expect(learn.recorder.metricNames).toEqual([
    'epoch',
    'train_loss',
    'train_accuracy',
    'valid_loss',
    'valid_accuracy',
    'time',
  ]);
  expect(learn.recorder.values[0]).toHaveLength(4);
  learn.recorder.trainMetrics = learn.recorder.validMetrics = false;
  await learn.fit(1);
  expect(learn.recorder.metricNames).toEqual(['epoch', 'train_loss', 'time']);
  expect(learn.recorder.values[0]).toHaveLength(1);
});

test('there need be no validation set', async () => {
  const learn = new Learner({ train: tinyData(8) }, tinyModel(), {
    lossFunc: nn.crossEntropy,
    metrics: accuracy,
    progress: false,
  });
  await learn.fit(1);
  expect(learn.recorder.metricNames).toEqual(['epoch', 'train_loss', 'time']);
  expect(learn.recorder.values[0]).toEqual([learn.smoothLoss]);
});

test('a part that was left leaves gaps, not other columns', async () => {
  const cancel = (Cancel: new () => Error) => () => {
    throw new Cancel();
  };
  const learn = tinyLearner({ metrics: accuracy });
  await learn.fit(1, { cbs: new Callback({ beforeTrain: cancel(CancelTrainException) }) });
  expect(learn.recorder.values[0]).toEqual([undefined, expect.any(Number), expect.any(Number)]);
  await learn.fit(1, { cbs: new Callback({ beforeValidate: cancel(CancelValidException) }) });
  expect(learn.recorder.values[0]).toEqual([expect.any(Number), undefined, undefined]);
});

test('a metric of no batches has no value', () => {
  expect(new AvgMetric(accuracy).value).toBeUndefined();
  expect(new AvgMetric(() => 1).name).toBe('metric');
});

test.each<[string, boolean, () => void]>([
  ['training that fails', true, () => fail()],
  ['a validation that fails', false, () => fail()],
  ['a validation that ends the fit', false, () => cancel()],
])('%s leaves none of its numbers on the device', async (_, inTraining, leave) => {
  const learn = tinyLearner({ metrics: [accuracy, (pred) => pred.mean()] });
  learn.recorder.trainMetrics = true;
  await learn.fit(1);
  const before = memory().tensors;
  const cb = new Callback({
    afterBatch: ({ training }) => {
      if (training === inTraining) leave();
    },
  });
  await learn.fit(1, { cbs: at(100, cb) }).catch(() => undefined);
  expect(memory().tensors).toBe(before);
  expect(learn.metrics[0]!.value).toEqual(expect.any(Number));
});

test('a metric that throws without a batch does not hide why the fit ended', async () => {
  const metric = {
    name: 'last',
    reset: () => undefined,
    accumulate: () => undefined,
    get value(): number {
      throw new Error('nothing was seen');
    },
  };
  const learn = tinyLearner({ metrics: [metric] });
  const controller = new AbortController();
  const cb = new Callback({
    beforeValidate: () => {
      controller.abort(new Error('enough'));
    },
  });
  const { signal } = controller;
  await expect(learn.fit(1, { signal, cbs: at(100, cb) })).rejects.toThrow('enough');
});

function fail(): never {
  throw new Error('stop');
}

function cancel(): never {
  throw new CancelFitException();
}
