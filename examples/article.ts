/**
 * Walks through "Understanding FastAI v2 Training with a Computer Vision Example, Part 2: FastAI Optimizers" in its order, on
 * digits in place of its photographs, and prints what it shows:
 *
 *     npm run article -- [number of images]
 */
import {
  accuracy,
  DataLoader,
  debias,
  Learner,
  manualSeed,
  mnist,
  Nadam,
  nn,
  normalizeImages,
  ops,
  optim,
  slice,
  tensor,
  type BatchTransform,
  type DataLoaders,
  type ImageDataset,
  type Tensor,
} from '@fastopt/torch';
import { resnet34 } from './resnet';

type Print = (...values: unknown[]) => void;

/** Enlarges digits to 64 pixels and gives them three channels: the network was made for photographs. */
function asPhotographs({ mean, std }: ImageDataset): BatchTransform {
  const normalize = normalizeImages(mean, std);
  return (x, y) => {
    const [images, labels] = normalize(ops.pad(x, [2, 2, 2, 2]), y);
    return [ops.upsampleNearest2d(images, [64, 64]).repeat(1, 3, 1, 1), labels];
  };
}

/** How much the walk trains. */
interface Size {
  readonly images: number;
  readonly bs: number;
  /** The batches that lrFind tries. */
  readonly numIt: number;
}

function makeLoaders({ images, bs }: Size): DataLoaders {
  const digits = mnist({ limit: images, validLimit: Math.max(1, Math.round(images / 4)) });
  const transform = asPhotographs(digits);
  const loader = ({ x, y }: { x: Tensor; y: Tensor }, train: boolean) =>
    new DataLoader([x, y], { bs, shuffle: train, dropLast: train, seed: 42, transform });
  return { train: loader(digits.train, true), valid: loader(digits.valid, false) };
}

// ---- what an optimizer consists of ----

function lookAtOptimizer(opt: optim.Optimizer, model: nn.Module, print: Print): void {
  print('\nparamLists: one list of parameters for each group');
  print(`${opt.paramLists.length} group of ${opt.paramLists[0]?.length} parameters`);
  print('the first one is 0.0.weight:', opt.paramLists[0]?.[0]?.shape);
  print(
    model
      .namedChildren()
      .slice(0, 2)
      .map(([name, child]) => `(${name}): ${String(child)}`)
      .join('\n'),
  );

  print('\nhypers: one object for each group, here after one epoch of one cycle');
  print(opt.hypers);

  print(`\nstate: ${opt.state.size} entries, one for each parameter`);
  const all = opt.allParams();
  const show = (title: string, entry: optim.ParamEntry | undefined): void => {
    if (entry) print(`${title} ${String(entry[0].shape)}:`, entry[2]);
  };
  show('the bias of the last layer', all.at(-1));
  show('the weight of the last batch norm', all.at(-4));

  print('\ncbs: what step() calls on every parameter, in order');
  print(opt.cbs.map((cb) => cb.name).join(', '));
}

function setHypers(model: nn.Module, print: Print): void {
  const [stem, body, head] = [
    model.children().slice(0, 2),
    model.children().slice(2, 6),
    model.children().slice(6),
  ];
  const groups = [stem, body, head].map((modules) =>
    modules.flatMap((module) => module.parameters()),
  );
  const opt = Nadam(groups, { lr: 1e-3 });
  const lrs = (): string => opt.hypers.map(({ lr }) => lr).join(', ');
  print('\nsetHypers: a number, a list, a slice from start to stop, a slice up to stop');
  for (const lr of [1e-3, [1e-5, 1e-4, 1e-3], slice(1e-5, 1e-3), slice(1e-3)]) {
    opt.setHypers({ lr });
    print(lrs());
  }
  opt.dispose();
}

// ---- NAdam, written anew ----

/** Makes the callback that applies NAdam's step; it shows what it computes to `look`, where the article calls a debugger. */
function makeNadamStep(look?: (values: Record<string, unknown>) => void): optim.DeclaredCallback {
  return optim.stepCallback(
    {
      name: 'nadamStep',
      state: ['step', 'grad_avg', 'sqr_avg'],
      hypers: ['lr', 'mom', 'sqr_mom', 'eps'],
      defaults: { eps: 1e-8 },
    },
    (p, { step, grad_avg, sqr_avg }, { lr, mom, sqr_mom, eps }) => {
      const debias1 = debias(mom, 1 - mom, step);
      const debias2 = debias(sqr_mom, 1 - sqr_mom, step);
      const num = grad_avg.mul(mom).add(p.grad, { alpha: 1 - mom });
      look?.({
        p: p.toArray(),
        grad_avg: grad_avg.toArray(),
        sqr_avg: sqr_avg.toArray(),
        debias1,
        debias2,
        num: num.toArray(),
      });
      p.addcdiv_(num, sqr_avg.div(debias2).sqrt_().add_(eps), { value: -lr / debias1 });
    },
  );
}

/** Makes the optimizer of the callbacks; passed hyper-parameters win over the callbacks' defaults. */
function makeNadam(step: optim.DeclaredCallback): optim.OptFunc {
  const { averageGrad, averageSqrGrad, stepStat, weightDecay } = optim;
  const cbs = [weightDecay, averageGrad({ dampening: true }), averageSqrGrad(), stepStat, step];
  return (params, { lr }) =>
    new optim.Optimizer(params, cbs, { lr, mom: 0.9, sqr_mom: 0.99, wd: 0.01 });
}

function testOnExcelNumbers(print: Print): void {
  print('\nThe step on the numbers of the Excel sheet, twice, with the gradient kept');
  const p = tensor([1, 2, 3]);
  p.grad = tensor([0.1, 0.1, 0.1]);
  const opt = makeNadam(makeNadamStep(print))(p, { lr: 1 });
  for (let step = 1; step <= 2; step++) {
    opt.step();
    print(`after step ${step}:`, p.toArray());
  }
  opt.dispose();
}

/** Runs the whole walk. */
export async function article(size: Size, print: Print = console.log): Promise<void> {
  manualSeed(42);
  const dls = makeLoaders(size);
  const model = resnet34(10);
  const options = { lossFunc: nn.crossEntropy, metrics: accuracy };

  using learn = new Learner(dls, model, options);
  print('The optimizer before the first fit:', learn.opt);
  const { valley } = await learn.lrFind({ numIt: size.numIt });
  print(`lrFind suggests ${valley.toExponential(2)}`);
  await learn.fitOneCycle(1, { lrMax: 1e-3 });
  if (learn.opt) lookAtOptimizer(learn.opt, model, print);
  setHypers(model, print);
  testOnExcelNumbers(print);

  print('\nThe network trained by our own Nadam');
  using fresh = resnet34(10);
  using ours = new Learner(dls, fresh, { ...options, optFunc: makeNadam(makeNadamStep()) });
  await ours.fitOneCycle(2, { lrMax: 1e-3 });
  model.dispose();
}

if (require.main === module) {
  const images = Number(process.argv[2] ?? 512);
  void article({ images, bs: 16, numIt: 20 });
}
