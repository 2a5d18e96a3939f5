import {
  adanStep,
  averageDiff,
  averageGrad,
  averageSqrGrad,
  elementwise,
  lambStep,
  larcLayerLr,
  larcStep,
  lionStep,
  momentumStep,
  muProduct,
  nadamStep,
  rmsPropStep,
  sgdStep,
  statCallback,
  stepStat,
  weightDecay,
  type AnyCallback,
} from '../../lib/optim';
import { codes } from '../../lib/optim/expression';
import { fusedPipeline, type FusedPipeline } from '../../lib/optim/fused-pipeline';

function pipelineOf(cbs: AnyCallback[]): FusedPipeline {
  const pipeline = fusedPipeline(cbs);
  if (typeof pipeline === 'string') throw new Error(pipeline);
  return pipeline;
}

/** Writes a program as a text, a node a line. */
function decode(nodes: Float64Array): string[] {
  return Array.from({ length: nodes.length / 6 }, (_, i) => {
    const [code = 0, ...rest] = nodes.slice(i * 6, i * 6 + 6);
    return [codes[code], ...rest].join(' ');
  });
}

const [gradAvg, sqrAvg] = [
  { name: 'grad_avg', array: 2, scalar: false, written: true },
  { name: 'sqr_avg', array: 3, scalar: false, written: true },
];

test('callbacks with kernels go by their numbers', () => {
  const dampened = averageGrad({ dampening: true });
  expect(pipelineOf([weightDecay, dampened, averageSqrGrad(), stepStat, nadamStep])).toEqual({
    numbers: [3, 6, 8, 0, 14],
    programs: [],
    states: [gradAvg, sqrAvg],
    unkept: [],
    ownHypers: [],
  });
});

test('a step by an average is another kernel, and without it there must be none in the state', () => {
  expect(pipelineOf([averageSqrGrad(), rmsPropStep]).unkept).toEqual(['grad_avg']);
  expect(pipelineOf([averageSqrGrad(), rmsPropStep]).numbers).toEqual([8, 11]);
  expect(pipelineOf([averageGrad(), averageSqrGrad(), rmsPropStep]).numbers).toEqual([5, 8, 12]);
});

test('recorded callbacks go by their programs, and own states have numbers of their own', () => {
  const { numbers, programs, states } = pipelineOf([
    ...[weightDecay, stepStat, averageGrad({ dampening: true }), averageDiff, adanStep],
  ]);
  expect(numbers).toEqual([3, 0, 6, 1000, 1001]);
  expect(programs).toHaveLength(2);
  expect(states).toEqual([
    gradAvg,
    { name: 'diff_avg', array: 5, scalar: false, written: true },
    sqrAvg,
    { name: 'last_grad', array: 6, scalar: false, written: true },
  ]);
});

test('a state that is the same for all elements is one number', () => {
  const larc = pipelineOf([averageGrad(), larcLayerLr(), larcStep]);
  expect(larc.states).toEqual([
    gradAvg,
    { name: 'local_lr', array: 5, scalar: true, written: true },
  ]);
  expect([larc.unkept, larc.ownHypers]).toEqual([[], ['trust_coeff']]);
  expect(pipelineOf([larcLayerLr(), larcStep]).unkept).toEqual(['grad_avg']);
});

test('a program is nodes of six numbers', () => {
  const cb = elementwise(
    { state: ['x', 'n'], needs: ['step'], hypers: ['lr', 'mine'] },
    ({ p, g, do_wd, x, n, step, lr, mine }) => ({
      ...{ p: p.sub(g.mul(lr)), x: x.add(mine.mul(p)) },
      n: n.add(g.sum()).add(lr.sum()).add(step.mul(do_wd)).add(2.5),
    }),
  );
  const { programs, ownHypers } = pipelineOf([stepStat, cb]);
  expect(ownHypers).toEqual(['mine']);
  expect(decode(programs[0]!)).toEqual([
    ...['element 0 0 0 0 0', 'element 0 0 0 1 0', 'hyper 0 0 0 0 0', 'mul 1 2 0 0 0'],
    ...['sub 0 3 0 0 0', 'element 0 0 0 5 0', 'hyper 0 0 0 10 0', 'mul 6 0 0 0 0'],
    ...['add 5 7 0 0 0', 'scalar 0 0 0 6 0', 'sum 1 0 0 0 0', 'add 9 10 0 0 0'],
    ...['size 0 0 0 0 0', 'mul 2 12 0 0 0', 'add 11 13 0 0 0', 'counter 0 0 0 0 0'],
    ...['counter 0 0 0 1 0', 'mul 15 16 0 0 0', 'add 14 17 0 0 0', 'constant 0 0 0 0 2.5'],
    ...['add 18 19 0 0 0', 'store 4 0 0 0 0', 'store 8 0 0 5 0', 'storeScalar 20 0 0 6 0'],
  ]);
});

test('what is computed twice is one node', () => {
  const cb = elementwise({ hypers: ['lr'] }, ({ p, g, lr }) => ({
    p: p.sub(g.mul(lr)),
    g: g.mul(lr).mul(g.mul(lr)),
  }));
  expect(decode(pipelineOf([cb]).programs[0]!).filter((row) => row.startsWith('mul'))).toHaveLength(
    2,
  );
});

test('one state may be kept by several callbacks, and is one number only if for all', () => {
  const one = elementwise({ name: 'one', state: ['x'] }, ({ x }) => ({ x: x.add(1) }));
  const all = elementwise({ name: 'all', state: ['x'] }, ({ g, x }) => ({ x: x.mul(g) }));
  expect(pipelineOf([one]).states).toMatchObject([{ name: 'x', scalar: true }]);
  expect(pipelineOf([one, all]).states).toMatchObject([{ name: 'x', scalar: false }]);
});

const states = Array.from({ length: 9 }, (_, i) => `s${i}`);
const hypers = Array.from({ length: 17 }, (_, i) => `h${i}`);
const late = elementwise({ name: 'late', optional: ['step'] }, ({ p, step = 0 }) => ({
  p: p.sub(step),
}));

test.each<[string, AnyCallback[], string]>([
  ['a plain function', [() => undefined], 'a function has no kernel'],
  [
    'a callback that nobody recorded',
    [statCallback({ name: 'mine' }, () => undefined)],
    'mine has no kernel',
  ],
  [
    'state that no callback makes',
    [momentumStep],
    'momentumStep reads grad_avg, and no callback before it makes that',
  ],
  [
    'state that is made too late',
    [muProduct, stepStat],
    'muProduct reads step, and no callback before it makes that',
  ],
  [
    'a count of the steps before',
    [late, stepStat],
    'late reads step, and no callback before it makes that',
  ],
  ['half of Lion', [lionStep], 'lionStep has no kernel'],
  [
    'an average that is one number',
    [elementwise({ state: ['grad_avg'] }, ({ g }) => ({ grad_avg: g.norm() })), momentumStep],
    'grad_avg is one number, and a tensor for the kernels',
  ],
  [
    'more states than there is room for',
    [
      elementwise({ state: states }, ({ g }) =>
        Object.fromEntries(states.map((name) => [name, g])),
      ),
    ],
    'the kernels have room for 8 states besides averages, and there are 9',
  ],
  [
    'more hypers than there is room for',
    [
      elementwise({ hypers }, (x) => ({
        p: hypers.reduce((sum, name) => sum.add(x[name as 'p']), x.p),
      })),
    ],
    'the kernels have room for 16 hypers besides their own, and there are 17',
  ],
])('%s has no pipeline, for a reason', (_, cbs, reason) => {
  expect(fusedPipeline(cbs)).toBe(reason);
});

test('LAMB and SGD may be one list, with one program', () => {
  expect(
    pipelineOf([averageGrad(), averageSqrGrad(), stepStat, lambStep, sgdStep]).numbers,
  ).toEqual([5, 8, 0, 1000, 9]);
});
