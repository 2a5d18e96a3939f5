// What fastai's issues and pull requests about OptimWrapper were about, each with its number.
import { inspect } from 'node:util';
import {
  Callback,
  OptimWrapper,
  slice,
  splitByChild,
  torchOptim,
  type Learner,
} from '../../lib/index';
import type { HyperValue, Params } from '../../lib/optim';
import { tinyLearner, tinyModel, weights } from './tiny';

const adamW = (params: Params, { lr }: { lr: HyperValue }): OptimWrapper =>
  new OptimWrapper(params, torchOptim.AdamW, { lr, betas: [0.9, 0.99], eps: 1e-5 });

function done(learn: Learner): void {
  learn.dispose();
  learn.model.dispose();
}

test('a learner trains one cycle, and its schedules reach libtorch', async () => {
  const [learn, other] = [tinyLearner({ optFunc: adamW }), tinyLearner()];
  const before = weights(learn);
  for (const each of [learn, other]) await each.fitOneCycle(2, { lrMax: 0.1 });
  expect(weights(learn)).not.toEqual(before);
  const { lr, mom } = other.opt!.hypers[0]!;
  expect(learn.opt!.hypers[0]).toMatchObject({ lr, mom });
  done(learn);
  done(other);
});

test('lrFind leaves weights, averages and hypers as they were', async () => {
  const [one, other] = [tinyLearner({ optFunc: adamW }), tinyLearner({ optFunc: adamW })];
  other.model.loadStateDict(one.model.stateDict());
  for (const learn of [one, other]) await learn.fit(1);
  const state = () => inspect(one.opt!.stateDict(), { depth: 4 });
  const before = [weights(one), state()];
  await one.lrFind();
  expect([weights(one), state()]).toEqual(before);
  done(one);
  done(other);
});

test('#2526: an optimizer without momentum or betas trains with a schedule of momentum', async () => {
  const learn = tinyLearner({
    optFunc: (params, { lr }) => new OptimWrapper(params, torchOptim.Adagrad, { lr }),
  });
  await learn.fitOneCycle(1, { lrMax: 0.1, wd: 0.1 });
  expect(learn.opt!.hypers[0]).toMatchObject({ wd: 0.1 });
  expect(learn.opt!.hasHyper('mom')).toBe(false);
  done(learn);
});

test('#2829: freezing and discriminative learning rates work', async () => {
  const learn = tinyLearner({ optFunc: adamW, splitter: splitByChild(1, -1), trainBn: false });
  learn.freeze();
  const [first] = learn.model.parameters();
  const before = first!.toArray();
  await learn.fit(1, { lr: slice(1e-3, 1e-1) });
  expect(first!.toArray()).toEqual(before);
  learn.unfreeze();
  await learn.fit(1, { lr: slice(1e-3, 1e-1) });
  expect(learn.opt!.hypers.map(({ lr }) => lr)).toEqual(
    [1e-3, 1e-2, 1e-1].map((lr) => expect.closeTo(lr, 12)),
  );
  expect(first!.toArray()).not.toEqual(before);
  done(learn);
});

test('#3225: an optimizer that is built already trains', async () => {
  const model = tinyModel();
  const built = torchOptim.AdamW(model.parameters(), {
    lr: 0.1,
    betas: [0.9, 0.99],
    weight_decay: 0.1,
  });
  const learn = tinyLearner({ optFunc: () => new OptimWrapper(built) }, model);
  const before = weights(learn);
  await learn.fit(1, { lr: 0.01 });
  expect(learn.opt!.hypers[0]).toMatchObject({ lr: 0.01, mom: 0.9, sqr_mom: 0.99, wd: 0.1 });
  expect(weights(learn)).not.toEqual(before);
  expect(() => new OptimWrapper(built)).toThrow('that another wrapper has; make a new one');
  done(learn);
});

test('#3337: the rate that a learner is given is the one that the optimizer gets, and that each fit sets', async () => {
  const given: unknown[] = [];
  const learn = tinyLearner({
    lr: 0.05,
    optFunc: (params, { lr }) => {
      given.push(lr);
      return new OptimWrapper(params, torchOptim.SGD, { lr, momentum: 0.9 });
    },
  });
  await learn.fit(1);
  expect(given).toEqual([0.05]);
  expect(learn.opt!.hypers[0]!.lr).toBe(0.05);
  done(learn);
});

test('#3821: the parameters are grouped as by every other optimizer, and so are groups with settings', () => {
  const model = tinyModel();
  const params = model.parameters();
  using one = new OptimWrapper(params, torchOptim.SGD);
  expect(one.paramLists.map((group) => group.length)).toEqual([6]);
  using groups = new OptimWrapper([params.slice(0, 2), params.slice(2)], torchOptim.SGD);
  expect(groups.paramLists.map((group) => group.length)).toEqual([2, 4]);
  using settings = new OptimWrapper(
    [{ params: params.slice(0, 2), lr: 3, betas: [0.5, 0.6] }, { params: params.slice(2) }],
    torchOptim.Adam,
    { lr: 1 },
  );
  expect(settings.hypers.map(({ lr, mom, sqr_mom }) => [lr, mom, sqr_mom])).toEqual([
    [3, 0.5, 0.6],
    [1, 0.9, 0.999],
  ]);
  model.dispose();
});

test('#3821: settings that no table of names knows keep theirs', () => {
  const model = tinyModel();
  using opt = new OptimWrapper(model.parameters(), torchOptim.Adagrad, { lr_decay: 0.5 });
  opt.setHyper('lr_decay', 0.25);
  expect(opt.hypers[0]).toMatchObject({ lr_decay: 0.25 });
  model.dispose();
});

test('#3843: a wrapper that exists already is the optimizer of a learner', async () => {
  const model = tinyModel();
  const opt = new OptimWrapper(model.parameters(), torchOptim.SGD, { lr: 0.1, momentum: 0.9 });
  const learn = tinyLearner({ optFunc: () => opt }, model);
  await learn.fit(1);
  expect(learn.opt).toBe(opt);
  done(learn);
});

test('#4046: a rate that a callback sets, through setHyper or in hypers, is the rate of the next step', async () => {
  class Halve extends Callback {
    readonly rates: number[] = [];
    override afterBatch(learn: Learner): void {
      const { opt } = learn;
      if (!learn.training || !opt) return;
      const [hyper] = opt.hypers;
      if (this.rates.length % 2 === 0) opt.setHyper('lr', hyper!.lr! / 2);
      else hyper!.lr! /= 2;
      this.rates.push(opt.hypers[0]!.lr!);
    }
  }
  const halve = new Halve();
  const learn = tinyLearner({ optFunc: adamW, cbs: halve });
  await learn.fit(1, { lr: 1 });
  expect(halve.rates).toEqual([0.5, 0.25, 0.125, 0.0625]);
  learn.opt!.hypers[0]!.lr = 0;
  const before = weights(learn);
  for (const p of learn.model.parameters()) p.grad?.fill_(1);
  learn.opt!.step();
  expect(weights(learn)).toEqual(before);
  done(learn);
});
