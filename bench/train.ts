/**
 * Takes training steps of xresnet34 on demand, for bench/native/cuda_train.py, which measures them beside PyTorch's:
 *
 *     node <this> <cuda|cpu>
 *
 * Commands on standard input, one a line, with one line of JSON as the answer:
 *
 *     prepare <loop|learner|graph> <float32|bfloat16> <batch> <size>    adds a contender; its parameters and its first loss
 *     run <contender> <steps>    the milliseconds of one of its steps, and which way they went; 0 is the first contender
 */
import { createInterface } from 'node:readline';
import {
  arange,
  autocast,
  backends,
  Callback,
  cuda,
  Learner,
  models,
  Nadam,
  nn,
  noGrad,
  tidy,
  type optim,
  type Device,
  type Parameter,
  type Tensor,
} from '@fastopt/torch';

/** Starts and stops the clock. */
interface Clock {
  readonly begin: () => void;
  readonly end: () => void;
}

interface Contender {
  /** Takes some training steps by the clock. */
  readonly train: (steps: number, clock: Clock) => void | Promise<void>;
  readonly explain: () => string | undefined;
}

const hypers = { lr: 1e-3, wd: 0.01 };
const device: Device = process.argv[2] === 'cuda' ? 'cuda' : 'cpu';
const warmUps = device === 'cuda' ? 5 : 0;

/** The numbers of native/test/golden_xresnet.py: `sin(0.7 j + phase)` for element j. */
function wave(shape: readonly number[], phase: number): Tensor {
  const count = shape.reduce((product, n) => product * n, 1);
  return arange(count, { dtype: 'float64', device }).mul(0.7).add(phase).sin().reshape(shape);
}

function fill(parameters: readonly Parameter[]): void {
  for (const [k, p] of parameters.entries()) {
    tidy(() =>
      noGrad(() => {
        const values = wave(p.shape, k);
        const inputs = p.numel / (p.shape[0] ?? 1);
        p.copy_(
          p.ndim > 1 ? values.mul(Math.sqrt(2 / inputs)) : values.mul(0.2).add(k % 3 === 1 ? 1 : 0),
        );
      }),
    );
  }
}

function lossOf(model: nn.Module, x: Tensor, y: Tensor, isHalf: boolean): Tensor {
  const forward = (): Tensor => nn.crossEntropy(model.forward(x), y);
  return autocast({ dtype: 'bfloat16', enabled: isHalf }, forward);
}

function byLoop(model: nn.Module, x: Tensor, y: Tensor, isHalf: boolean): Contender {
  const opt = Nadam(model.parameters(), hypers);
  return {
    train(steps, clock) {
      clock.begin();
      for (let i = 0; i < steps; i++) {
        tidy(() => lossOf(model, x, y, isHalf).backward());
        opt.step();
        opt.zeroGrad();
      }
      clock.end();
    },
    explain: () => opt.explain(),
  };
}

/** Leaves out of the time what a fit does once: before the first batches have come, and after the last. */
class Timing extends Callback {
  clock: Clock | undefined;

  override beforeBatch({ iter }: Learner): void {
    if (iter === warmUps) this.clock?.begin();
  }

  override afterBatch({ iter, nIter }: Learner): void {
    if (iter + 1 === nIter) this.clock?.end();
  }
}

function byLearner(
  model: nn.Module,
  x: Tensor,
  y: Tensor,
  isHalf: boolean,
  inGraph: boolean,
): Contender {
  const train = {
    length: 0,
    *[Symbol.iterator]() {
      for (let i = 0; i < this.length; i++) yield [x, y] as const;
    },
  };
  const optFunc = (params: optim.Params) => Nadam(params, hypers);
  const lossFunc = nn.crossEntropy;
  const timing = new Timing();
  const learn = new Learner({ train }, model, { lossFunc, optFunc, progress: false, cbs: timing });
  if (isHalf) learn.toBf16();
  if (inGraph) learn.capture();
  return {
    async train(steps, clock) {
      train.length = warmUps + steps;
      timing.clock = clock;
      await learn.fit(1);
    },
    explain: () => `${learn.explain()}. ${learn.opt?.explain() ?? ''}`,
  };
}

/** Makes the network, filled as the other side fills its own, and returns what it finds at first, and how it trains. */
function prepare(how: string, precision: string, batch: number, size: number) {
  const isHalf = precision === 'bfloat16';
  const memoryFormat = isHalf ? 'channels_last' : 'contiguous';
  const model = models.xresnet34({ nOut: 10 });
  model.to({ device, memoryFormat });
  fill(model.parameters());
  const x = wave([batch, 3, size, size], 0.25).to({ dtype: 'float32', memoryFormat });
  const y = arange(batch).remainder(10).to({ device });
  const parameters = model.parameters().reduce((count, p) => count + p.numel, 0);
  const loss = tidy(() => lossOf(model, x, y, isHalf).item());
  const contender =
    how === 'loop' ? byLoop(model, x, y, isHalf) : byLearner(model, x, y, isHalf, how === 'graph');
  return { first: { parameters, loss }, contender };
}

/** Returns the milliseconds of one of some steps, as the GPU's clock saw them. */
async function measure({ train }: Contender, steps: number): Promise<number> {
  if (device === 'cpu') {
    let [start, end] = [NaN, NaN];
    await train(steps, {
      begin: () => (start = performance.now()),
      end: () => (end = performance.now()),
    });
    return (end - start) / steps;
  }
  const start = new cuda.Event({ enableTiming: true });
  const end = new cuda.Event({ enableTiming: true });
  await train(steps, { begin: () => start.record(), end: () => end.record() });
  end.synchronize();
  return start.elapsedTime(end) / steps;
}

async function main(): Promise<void> {
  backends.cudnn.benchmark = true;
  const contenders: Contender[] = [];
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, ...words] = line.split(' ');
    if (command === 'prepare') {
      const [how = '', precision = '', batch, size] = words;
      const { first, contender } = prepare(how, precision, Number(batch), Number(size));
      contenders.push(contender);
      console.log(JSON.stringify(first));
    } else {
      const contender = contenders[Number(words[0])];
      if (!contender) throw new Error(`train: expected "prepare ..." or "run ...", got "${line}"`);
      const ms = await measure(contender, Number(words[1]));
      console.log(JSON.stringify({ ms, explain: contender.explain() }));
    }
  }
}

void main();
