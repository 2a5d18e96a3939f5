import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import {
  averageGrad,
  averageSqrGrad,
  debias,
  Optimizer,
  stepCallback,
  stepStat,
  weightDecay,
} from '../../lib/optim';
import { expectClose, param } from './support';

// The article's nadam_step, with a stop where its set_trace() is.
const nadamStep = stepCallback(
  { name: 'nadamStep', state: ['step', 'grad_avg', 'sqr_avg'], hypers: ['lr', 'mom', 'sqr_mom'] },
  (p, { step, grad_avg, sqr_avg }, { lr, mom, sqr_mom }) => {
    const num = grad_avg.mul(mom).add_(p.grad, { alpha: 1 - mom });
    const [debias1, debias2] = [debias(mom, 1 - mom, step), debias(sqr_mom, 1 - sqr_mom, step)];
    debugger;
    p.addcdiv_(num, sqr_avg.div(debias2).sqrt_(), { value: -lr / debias1 });
  },
);

// A debugger for this thread has to run in another one.
const attached = `
  const { parentPort } = require('node:worker_threads');
  const { Session } = require('node:inspector');
  parentPort.on('message', () => undefined); // keeps this thread alive
  const session = new Session();
  session.connectToMainThread();
  const maps = new Map();
  session.on('Debugger.scriptParsed', ({ params }) => maps.set(params.scriptId, params.sourceMapURL));
  session.on('Debugger.paused', ({ params: { callFrames: [frame] } }) => {
    const expression = '({ p: p.toArray(), num: num.toArray(), step, debias1, debias2, lr })';
    const { callFrameId, location } = frame;
    session.post('Debugger.evaluateOnCallFrame', { callFrameId, expression, returnByValue: true }, (_, answer) => {
      parentPort.postMessage({ values: answer.result.value, map: maps.get(location.scriptId) });
      session.post('Debugger.resume');
    });
  });
  session.post('Debugger.enable', () => parentPort.postMessage('ready'));
`;

interface Stop {
  values: {
    p: number[];
    num: number[];
    step: number;
    debias1: number;
    debias2: number;
    lr: number;
  };
  map: string;
}

test("Node's debugger stops in a callback, shows the article's values, and knows the TypeScript", async () => {
  const worker = new Worker(attached, { eval: true });
  await once(worker, 'message');

  const p = param([1, 2, 3], [0.1, 0.1, 0.1]);
  const cbs = [
    weightDecay,
    averageGrad({ dampening: true }),
    averageSqrGrad(),
    stepStat,
    nadamStep,
  ];
  const opt = new Optimizer(p, cbs, { lr: 1, wd: 0.01 });
  const stopped = once(worker, 'message');
  opt.step();
  const [{ values, map }] = (await stopped) as [Stop];
  await worker.terminate();

  expectClose(values.p, [0.99, 1.98, 2.97]);
  expectClose(values.num, [0.019, 0.019, 0.019]);
  expectClose([values.step, values.lr, values.debias1, values.debias2], [1, 1, 0.1, 0.01]);
  const { sources } = JSON.parse(
    Buffer.from(map.slice(map.indexOf(',') + 1), 'base64').toString(),
  ) as { sources: string[] };
  expect(sources.join()).toContain('debugger.test.ts');
  opt.dispose();
});
