import {
  Learner,
  models,
  nn,
  ones,
  splitByChild,
  splitByName,
  type GroupSplitter,
  type Tensor,
} from '../../lib/index';
import { tinyData, tinyModel } from './tiny';

/** The names of the parameters of each group; disposes of the model. */
function names(model: nn.Module, split: GroupSplitter): string[][] {
  const nameOf = new Map(model.namedParameters().map(([name, p]) => [p, name]));
  const groups = split(model).map((group) => group.map((p) => nameOf.get(p)!));
  model.dispose();
  return groups;
}

test('splitByChild cuts between the children, from the end where negative', () => {
  expect(names(tinyModel(), splitByChild(1, -1))).toEqual([
    ['0.weight', '0.bias'],
    ['1.weight', '1.bias'],
    ['4.weight', '4.bias'],
  ]);
});

test('splitByChild without cuts makes a group of each child that has parameters', () => {
  const groups = names(tinyModel(), splitByChild());
  expect(groups.map((group) => group.length)).toEqual([2, 2, 2]);
});

test('splitByChild cuts a native xresnet, and no parameter is lost', () => {
  const model = models.xresnet18({ nOut: 10 });
  const groups = splitByChild(4, -1)(model);
  expect(groups).toHaveLength(3);
  expect(new Set(groups.flat())).toEqual(new Set(model.parameters()));
  model.dispose();
});

test("a model's own parameters are in the last group", () => {
  class Scaled extends nn.Module {
    factor = new nn.Parameter(ones([1]));
    body = new nn.Linear(1, 1);
    head = new nn.Linear(1, 1);
    forward(x: Tensor): Tensor {
      return this.head.forward(this.body.forward(x)).mul(this.factor);
    }
  }
  const model = new Scaled();
  expect(names(model, splitByChild(1))).toEqual([
    ['body.weight', 'body.bias'],
    ['factor', 'head.weight', 'head.bias'],
  ]);
});

test('splitByName takes whole parts of names, the longest first, and the rest as first group', () => {
  expect(names(tinyModel(), splitByName(['1', '4'], '4.bias'))).toEqual([
    ['0.weight', '0.bias'],
    ['1.weight', '1.bias', '4.weight'],
    ['4.bias'],
  ]);
});

test('a parameter that two modules share is in one group only', () => {
  const [first, second] = [new nn.Linear(2, 2), new nn.Linear(2, 2)];
  const model = new nn.Sequential(first, first, second);
  expect(names(model, splitByChild(2))).toEqual([
    ['0.weight', '0.bias'],
    ['2.weight', '2.bias'],
  ]);
});

test('frozen parameters are left out', () => {
  const model = tinyModel();
  model.parameters()[0]!.requiresGrad = false;
  expect(names(model, splitByName('4'))[0]).not.toContain('0.weight');
});

test('a splitter gives a learner its groups', () => {
  const dls = { train: tinyData(8), valid: tinyData(4) };
  const learn = new Learner(dls, tinyModel(), {
    lossFunc: nn.crossEntropy,
    splitter: splitByChild(-1),
    progress: false,
  });
  learn.freeze();
  expect(learn.opt!.summary()).toMatch(/^0 .*frozen/m);
  learn.dispose();
  learn.model.dispose();
});

test.each([
  [
    'expected growing positions from 1 to 4, as there are 5 children, got [ 3, 2 ]',
    splitByChild(3, 2),
  ],
  ['expected growing positions from 1 to 4, as there are 5 children, got [ 5 ]', splitByChild(5)],
  [
    'splitByChild: expected parameters that need a gradient in each of 3 groups, got none in group 1',
    splitByChild(2, 4),
  ],
  [
    'splitByName: expected parameters that need a gradient in each of 1 groups, got none in group 0',
    splitByName('head'),
  ],
])('%s', (message, split) => {
  const model = tinyModel();
  expect(() => split(model)).toThrow(message);
  model.dispose();
});
