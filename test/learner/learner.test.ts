import { Adam, Learner, models, nn, Optimizer, UnknownOptionError } from '../../lib/index';
import { thrown } from '../support/tensors';
import { tinyData, tinyLearner, tinyModel } from './tiny';

// ---- making one ----

test('there is no optimizer until one is needed', async () => {
  const learn = tinyLearner();
  expect(learn.opt).toBeUndefined();
  await learn.validate();
  expect(learn.opt).toBeUndefined();
  await learn.fit(1);
  expect(learn.opt).toBeInstanceOf(Optimizer);
  const { opt } = learn;
  await learn.fit(1);
  expect(learn.opt).toBe(opt);
  await learn.fit(1, { resetOpt: true });
  expect(learn.opt).not.toBe(opt);
});

test('an xresnet34 has 77 parameters without decay and 76 that are always trained', () => {
  using model = models.xresnet34({ nOut: 10 });
  using learn = new Learner({ train: [] }, model, { lossFunc: nn.crossEntropy, progress: false });
  const opt = learn.createOpt();
  const states = opt.allParams().map(([, , state]) => state);
  expect(states).toHaveLength(116);
  expect(states.filter(({ do_wd }) => do_wd === false)).toHaveLength(77);
  expect(states.filter(({ force_train }) => force_train)).toHaveLength(76);
  expect(opt.allParams()[115]![2]).toEqual({ do_wd: false });
  expect(opt.allParams()[114]![2]).toEqual({});
  expect(opt.allParams()[113]![2]).toEqual({ do_wd: false, force_train: true });
});

test('wdBnBias and trainBn decide the flags', () => {
  const flags = (options: object) =>
    [...tinyLearner(options).createOpt().state.values()].map((state) => Object.keys(state).length);
  expect(flags({})).toEqual([1, 2, 2, 1]);
  expect(flags({ wdBnBias: true })).toEqual([1, 1]);
  expect(flags({ trainBn: false })).toEqual([1, 1, 1, 1]);
  expect(flags({ wdBnBias: true, trainBn: false })).toEqual([]);
});

test('parameters that need no gradient stay out of the optimizer', () => {
  const model = tinyModel();
  model.children()[0]!.requiresGrad_(false);
  const learn = tinyLearner({}, model);
  expect(learn.createOpt().paramLists[0]).toHaveLength(4);
  expect(learn.opt!.state.size).toBe(3);
});

test('wrong parts are refused', () => {
  const dls = { train: tinyData(8) };
  expect(thrown(() => new Learner(dls, tinyModel(), {} as never)).message).toBe(
    'Learner: expected lossFunc, such as nn.crossEntropy, got undefined',
  );
  expect(
    thrown(() => new Learner(dls, {} as never, { lossFunc: nn.crossEntropy })).message,
  ).toMatch(/^Learner: expected a model/);
  expect(
    thrown(
      () => new Learner({ train: new Set() } as never, tinyModel(), { lossFunc: nn.crossEntropy }),
    ).message,
  ).toMatch(/^Learner: dls.train: expected an iterable of batches \[x, y\] with a length, got Set/);
  const error = thrown(() => tinyLearner({ opt_func: Adam } as object));
  expect(error.message).toMatch(/^Learner: unknown option 'opt_func' \(did you mean 'optFunc'\?\)/);
  expect(error).toBeInstanceOf(UnknownOptionError);
});

// ---- freezing ----

test('freezing keeps batch norms trainable and forgets averages', async () => {
  const model = tinyModel();
  const [first, norm, , , last] = model.children();
  const learn = tinyLearner(
    { splitter: () => [[...first!.parameters(), ...norm!.parameters()], last!.parameters()] },
    model,
  );
  await learn.fit(1);
  learn.freeze();
  expect(model.parameters().map((p) => p.requiresGrad)).toEqual([
    false,
    false,
    true,
    true,
    true,
    true,
  ]);
  expect([...learn.opt!.state.values()].every((state) => state.step === undefined)).toBe(true);
  const before = first!.parameters()[0]!.toArray();
  await learn.fit(1);
  expect(first!.parameters()[0]!.toArray()).toEqual(before);
  learn.unfreeze();
  await learn.fit(1);
  expect(first!.parameters()[0]!.toArray()).not.toEqual(before);
  expect(thrown(() => tinyLearner().freeze()).message).toMatch(
    /^freeze: expected at least 2 parameter groups/,
  );
});

test('a disposed learner has no optimizer', async () => {
  const learn = tinyLearner();
  await learn.fit(1);
  const { opt } = learn;
  learn.dispose();
  expect(learn.opt).toBeUndefined();
  expect(thrown(() => opt!.step()).code).toBe('ERR_TORCH_DISPOSED');
});
