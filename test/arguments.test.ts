import {
  autocast,
  AvgSmoothLoss,
  backends,
  clipGradNorm,
  combineScheds,
  cuda,
  DataLoader,
  EMA,
  enableGrad,
  GradientClip,
  GradScaler,
  Learner,
  Lookahead,
  nn,
  normalizeImages,
  noGrad,
  ones,
  optim,
  ParamScheduler,
  prefetch,
  rand,
  randomCrop,
  randomFlip,
  SchedLin,
  Scope,
  setDefaultDevice,
  SGD,
  splitByName,
  tensor,
  tidy,
  trainableParams,
  type Optimizer,
} from '../lib/index';
import { withoutGpu } from './support/cuda';
import { failure, tinyLearner, weights } from './learner/tiny';
import { thrown } from './support/tensors';

// What no type lets through, but a program without types may pass.
const any = (value: unknown): never => value as never;
const pair = () => [ones([2, 3]), ones([2])] as const;
const symbol = Symbol('s');

test.each<[string, () => unknown]>([
  ['prefetch: expected an iterable of batches', () => prefetch(any(undefined))],
  ['prefetch: expected an iterable of batches', () => prefetch(any({ length: 1 }))],
  ['DataLoader: expected [x, y], inputs and targets, got undefined', () => loader(undefined)],
  ['DataLoader: transform: expected a function, got 5', () => loader(pair(), { transform: 5 })],
  ['DataLoader: shuffle: expected true or false', () => loader(pair(), { shuffle: 'no' })],
  ['DataLoader: expected a Generator, got 5', () => loader(pair(), { generator: 5 })],
  ['randomCrop: expected a Generator, got 5', () => randomCrop(1, { generator: any(5) })],
  ['randomFlip: expected a Generator, got 5', () => randomFlip({ generator: any(5) })],
  ['rand: expected a Generator, got 5', () => rand([1], { generator: any(5) })],
  ["GradScaler: initScale: expected a positive number, got '8'", () => scaler({ initScale: '8' })],
  ['GradScaler: growthFactor: expected a number above 1', () => scaler({ growthFactor: symbol })],
  ['GradScaler: backoffFactor: expected a number', () => scaler({ backoffFactor: null })],
  ["GradScaler: enabled: expected true or false, got 'no'", () => scaler({ enabled: 'no' })],
  ['GradScaler.loadStateDict: expected', () => scaler().loadStateDict(any(null))],
  ['GradScaler.loadStateDict: expected', () => scaler().loadStateDict(any({ scale: 'a' }))],
  [
    'GradScaler.loadStateDict: expected',
    () => scaler().loadStateDict(any({ ...scaler().stateDict(), scale: 'a' })),
  ],
  ["autocast: enabled: expected true or false, got 'no'", () => cast({ enabled: 'no' })],
  ['autocast: cacheEnabled: expected true or false', () => cast({ cacheEnabled: 1 })],
  ['autocast: expected a function, got 5', () => autocast({}, any(5))],
  ['noGrad: expected a function', () => noGrad(any(undefined))],
  ['enableGrad: expected a function', () => enableGrad(any(undefined))],
  ['tidy: expected a function', () => tidy(any(undefined))],
  ['tidy: expected a synchronous function', () => tidy(async () => Promise.resolve())],
  ['Scope.run: expected a function', () => new Scope().run(any(undefined))],
  ['Scope.adopt: expected a Tensor, got 5', () => new Scope().adopt(any(5))],
  ['cuda.setDevice: expected a GPU', () => cuda.setDevice(any(symbol))],
  ['cuda.synchronize: expected a GPU', () => cuda.synchronize(any(symbol))],
  ['cuda.memoryStats: expected a GPU', () => cuda.memoryStats(any(symbol))],
  ['cuda.Stream: expected a GPU', () => new cuda.Stream({ device: any(symbol) })],
  ['Optimizer: expected callbacks, which are functions, got 5', () => optimizer(5)],
  ['setHypers: expected hyper-parameters by name, got null', () => sgd().setHypers(any(null))],
  ['loadStateDict: expected { state, hypers }', () => sgd().loadStateDict(any(null))],
  ['loadStateDict: expected { state, hypers }', () => sgd().loadStateDict(dict([null], [{}]))],
  [
    'loadStateDict: group 0: expected lr to be a number',
    () => sgd().loadStateDict(dict([{}], [{ lr: 'x' }])),
  ],
  [
    'loadStateDict: expected the grad_avg of parameter 0 to be a tensor',
    () => sgd().loadStateDict(dict([{ grad_avg: 5 }], [{}])),
  ],
  [
    'GradScaler.loadStateDict: initScale: expected a positive',
    () => scaler().loadStateDict({ ...scaler().stateDict(), scale: -5 }),
  ],
  ['normalizeImages: expected a mean and a std', () => normalizeImages([1, 1, 1], [1])],
  ['fromFastai: expected', () => new Lookahead(sgd()).fromFastai(any(null))],
  ['Lookahead: expected an optimizer, got undefined', () => new Lookahead(any(undefined))],
  ['EMA: expected decay from 0', () => new EMA(ones([1]), { decay: any(symbol) })],
  ['EMA.use: expected a function', () => new EMA(ones([1])).use(any(5))],
  ['EMA.loadStateDict: expected', () => new EMA(ones([1])).loadStateDict(any(null))],
  ['clipGradNorm: expected an optimizer or tensors', () => clipGradNorm(any(symbol), 1)],
  ['gradNorm: expected an optimizer, got 5', () => optim.gradNorm(any(5))],
  ['SGD: decouple_wd: expected true or false', () => sgd({ decouple_wd: 'no' })],
  [
    "statCallback: expected state to be a list of names, got 'a'",
    () => optim.statCallback({ state: any('a') }, () => ({})),
  ],
  ['Learner: expected data loaders { train, valid }', () => learner(null)],
  [
    "Learner: lr: expected a number, numbers or a slice, got '1'",
    () => tinyLearner({ lr: any('1') }),
  ],
  ['Learner: lr: expected a number, numbers or a slice', () => tinyLearner({ lr: [1, any('1')] })],
  ['Learner: wd: expected a number, numbers or a slice', () => tinyLearner({ wd: NaN })],
  ['Learner: optFunc: expected a function', () => tinyLearner({ optFunc: any('Adam') })],
  ['Learner: trainBn: expected true or false', () => tinyLearner({ trainBn: any(1) })],
  ['Learner: expected metrics, functions such as', () => tinyLearner({ metrics: any(5) })],
  ['addCb: expected a Callback, got 5', () => tinyLearner({ cbs: any(5) })],
  ['Learner: expected three numbers as moms', () => tinyLearner({ moms: any([0.9]) })],
  ['SchedLin: expected a number, or one for each', () => SchedLin(any(undefined), 1)],
  ['combineScheds: expected a function', () => combineScheds([1], any([5]))],
  ['ParamScheduler: lr: expected a function', () => new ParamScheduler({ lr: any(5) })],
  ['GradientClip: expected a positive number', () => new GradientClip(any(symbol))],
  ['AvgSmoothLoss: expected beta', () => new AvgSmoothLoss(any(symbol))],
  ['splitByName: expected names of parameters', () => splitByName(any(symbol))],
  ['trainableParams: expected a model', () => trainableParams(any(5))],
  ['registerForwardHook: expected a function', () => linear().registerForwardHook(any(5))],
  ['registerBuffer: expected a name without dots', () => linear().registerBuffer(any(5), ones(1))],
  ['getSubmodule: expected the name of a module', () => linear().getSubmodule(any(symbol))],
  ['Sequential: expected a Module, got null', () => new nn.Sequential(any(null))],
  ['init: expected the mode', () => nn.init.kaimingNormal_(ones([2, 2]), { mode: any('fan_in') })],
  [
    "kaimingNormal_: expected a to be a number, got 'x'",
    () => nn.init.kaimingNormal_(ones([2, 2]), { a: any('x') }),
  ],
  [
    'kaimingUniform_: expected a to be a number',
    () => nn.init.kaimingUniform_(ones([2, 2]), { a: any('x') }),
  ],
  ['init: expected gain to be a number', () => nn.init.xavierNormal_(ones([2, 2]), any('x'))],
  ["expected a device such as 'cpu' or 'cuda:0', got 'mps'", () => setDefaultDevice(any('mps'))],
  [
    "expected a device such as 'cpu' or 'cuda:0', got 'cpu:1'",
    () => setDefaultDevice(any('cpu:1')),
  ],
  ["ones: expected a device such as 'cpu'", () => ones([1], { device: any('mps') })],
  [
    "expected a device such as 'cpu' or 'cuda:0', got 'cpu:1'",
    () => tensor([1], { device: any('cpu:1') }),
  ],
  [
    "index.Tensor: argument 'indices': expected at least one tensor, got an array of length 1",
    () => ones([1]).index([null]),
  ],
  [
    "index_put_: argument 'indices': expected at least one tensor",
    () => ones([1]).indexPut_([null, null], ones([1])),
  ],
])('%s', (message, call) => {
  const { code, message: got } = thrown(call);
  expect({ code, message: got.slice(0, message.length) }).toEqual({
    code: 'ERR_TORCH_ARGUMENT',
    message,
  });
});

test('a flag that is none is refused before anything is trained', async () => {
  const learn = tinyLearner();
  const before = weights(learn);
  for (const work of [
    learn.fit(1, { resetOpt: any('no') }),
    learn.fitOneCycle(1, { resetOpt: any(0) }),
    learn.fineTune(1, { resetOpt: any(null) }),
  ])
    expect((await failure(work)).message).toMatch(/: resetOpt: expected true or false, got/);
  expect(weights(learn)).toEqual(before);
});

test('a signal that is none is refused before anything is trained', async () => {
  const learn = tinyLearner();
  for (const work of [
    learn.fit(1, { signal: any(5) }),
    learn.fitOneCycle(1, { signal: any({}) }),
    learn.validate({ signal: any('stop') }),
  ])
    expect((await failure(work)).message).toMatch(/expected an AbortSignal, got/);
});

withoutGpu('switches take true or false', () => {
  expect(() => (backends.cudnn.benchmark = any('yes'))).toThrow(/true or false|boolean/);
});

function loader(tensors: unknown, options: object = {}) {
  return new DataLoader(any(tensors), options);
}

function scaler(options: object = {}) {
  return new GradScaler(options);
}

function cast(options: object) {
  autocast(options, () => undefined);
}

function optimizer(cbs: unknown) {
  return new optim.Optimizer(ones([1]), any(cbs), {});
}

function sgd(options: object = {}): Optimizer {
  return SGD(ones([1]), { lr: 0.1, ...options });
}

function dict(state: unknown, hypers: unknown) {
  return any({ state, hypers });
}

function learner(dls: unknown) {
  return new Learner(any(dls), linear(), { lossFunc: nn.mseLoss });
}

function linear() {
  return new nn.Linear(1, 1);
}
