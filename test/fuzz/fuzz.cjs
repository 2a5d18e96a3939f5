// Calls what the package exports, and the methods of what it makes, with values that nobody should pass. Prints the calls that
// ended in another error than one of the package's own; a crash or a hang is for the parent to see.
const { types } = require('node:util');
const torch = require(process.argv[2]);

class Planted extends Error {}
const fail = () => {
  throw new Planted();
};
const disposed = torch.ones([2]);
disposed.dispose();
const holdsItself = [];
holdsItself.push(holdsItself);

const hostile = {
  ...{
    undefined: () => undefined,
    null: () => null,
    NaN: () => NaN,
    '-1': () => -1,
    '1e308': () => 1e308,
  },
  ...{
    '2**53': () => 2 ** 53,
    "''": () => '',
    symbol: () => Symbol('s'),
    '{}': () => ({}),
    '[]': () => [],
  },
  ...{
    'a function': () => () => {},
    'a bigint': () => 10n ** 30n,
    'a disposed tensor': () => disposed,
  },
  'a detached view': () => {
    const view = new Float32Array(4);
    structuredClone(view.buffer, { transfer: [view.buffer] });
    return view;
  },
  'a proxy that throws': () =>
    new Proxy({}, { get: fail, has: fail, ownKeys: fail, getPrototypeOf: fail }),
  'a getter that throws': () => ({
    get length() {
      return fail();
    },
  }),
  'an object of no class': () => Object.create(null),
  'a list that holds itself': () => holdsItself,
  'no iterator': () => ({ [Symbol.iterator]: 5 }),
  'a length alone': () => ({ length: 1 }),
};
const withGrad = () => {
  const p = torch.ones([2]);
  p.grad = torch.ones([2]);
  return p;
};
const data = () => new torch.DataLoader([torch.ones([4, 3]), torch.ones([4, 2])], { bs: 2 });
const linear = () => new torch.nn.Linear(3, 2);
const learner = () =>
  new torch.Learner({ train: data() }, linear(), { lossFunc: torch.nn.mseLoss, progress: false });
const good = [
  ...[
    () => torch.ones([2, 3]),
    withGrad,
    () => 1,
    () => [2, 3],
    () => 'float32',
    () => () => torch.ones([1]),
  ],
  ...[
    linear,
    data,
    learner,
    () => torch.SGD(withGrad(), { lr: 0.1 }),
    () => ({ lr: 0.1 }),
    () => [torch.ones([2])],
  ],
];
const made = {
  Tensor: () => torch.ones([2, 3]),
  Generator: () => new torch.Generator(),
  Scope: () => new torch.Scope(),
  Linear: linear,
  Sequential: () => new torch.nn.Sequential(linear()),
  SGD: () => torch.SGD(withGrad(), { lr: 0.1 }),
  Lookahead: () => new torch.Lookahead(torch.Adam(withGrad(), { lr: 0.1 })),
  OptimWrapper: () => new torch.OptimWrapper(withGrad(), torch.torchOptim.Adam, { lr: 0.1 }),
  EMA: () => new torch.EMA(withGrad()),
  GradScaler: () => new torch.GradScaler(),
  DataLoader: data,
  Learner: learner,
  AvgSmoothLoss: () => new torch.AvgSmoothLoss(),
};

// Errors are made of texts, and bare formulas compute with what they get. What is for the learner to call, or for other modules
// of the package alone, takes what they give. The others are slow, or change all that follows.
const left =
  /Error$|Exception$|^sched[A-Z]|^(before|after|on)[A-Z]|^copy[A-Z]|^(handleOf|idOf|take|takeFrom|setTraining|ownerOf|setOwner|extrasOf|follow|checkIdle|models|mnist|cifar10|setNumThreads|setDefaultDevice|useDeterministicAlgorithms|accumulate|constructor)$/;

const findings = [];
function judge(name, error) {
  if (error instanceof Planted || error instanceof torch.TorchError) return;
  if (error instanceof torch.CancelException) return;
  // It is the view's own.
  if (/detached ArrayBuffer/.test(error?.message)) return;
  findings.push(`${name}: ${error}`);
}

async function attempt(name, call) {
  let result;
  try {
    result = torch.tidy(() => {
      const value = call();
      return types.isPromise(value) ? { value } : undefined;
    });
  } catch (error) {
    judge(name, error);
  }
  // A loader may never give what is awaited.
  if (result) await result.value.catch((error) => judge(name, error));
}

let seed = 1;
const draw = (list) => list[(seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) % list.length];

async function fuzz(name, call) {
  for (const [label, make] of Object.entries(hostile)) {
    await attempt(`${name}(${label})`, () => call(make()));
    const first = draw(good);
    await attempt(`${name}(${first}, ${label})`, () => call(first(), make()));
  }
}

async function walk(path, object, depth) {
  for (const [key, value] of Object.entries(object)) {
    if (left.test(key)) continue;
    const name = `${path}${key}`;
    if (typeof value === 'object' && value !== null && depth > 0)
      await walk(`${name}.`, value, depth - 1);
    if (typeof value !== 'function') continue;
    const isClass = String(value).startsWith('class');
    await fuzz(name, (...args) => (isClass ? new value(...args) : value(...args)));
  }
}

async function methods(name, make) {
  for (
    let type = make().constructor.prototype;
    type !== Object.prototype;
    type = Object.getPrototypeOf(type)
  ) {
    // Operators are alike: a few of them will do.
    const keys = Object.getOwnPropertyNames(type).filter(
      (key, i) => name !== 'Tensor' || i % 9 === 0,
    );
    for (const key of keys.filter((key) => !left.test(key))) {
      const { value } = Object.getOwnPropertyDescriptor(type, key);
      if (typeof value === 'function')
        await fuzz(`${name}.${key}`, (...args) => make()[key](...args));
    }
  }
}

(async () => {
  const { ops: _, ...rest } = torch;
  await walk('', rest, 1);
  for (const [name, make] of Object.entries(made)) await methods(name, make);
  console.log(JSON.stringify(findings));
})();
