/**
 * Measures what a step costs from TypeScript above the C kernel that it calls, over the 116 tensors of xresnet34, on one thread:
 *
 *     node <this> <the fused_steps of CMake's build> [--quick] [--output <JSON file>]
 *
 * The kernel runs in a program of its own, round by round in turn with the steps from here. Over tensors of four elements it takes
 * next to nothing, and what is left is the call; over the real ones the call is lost in the noise of the memory.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { models, Nadam, ones, setNumThreads, version, zeros, type Tensor } from '@fastopt/torch';

/** The most microseconds above the kernel, for the first shape. */
const TARGET_US = 5;

interface Shape {
  readonly name: string;
  readonly params: readonly Tensor[];
  readonly steps: number;
  /** Written before each step, so that it finds nothing in the caches: as in training. */
  readonly flushMB: number;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

function shapes(): Shape[] {
  const real = models.xresnet34({ nOut: 10 }).parameters();
  const tiny = (): Tensor[] => real.map(() => zeros([4], { requiresGrad: true }));
  return [
    { name: '116 of 4', params: tiny(), steps: 2000, flushMB: 0 },
    { name: '116 of 4, nothing in the caches', params: tiny(), steps: 20, flushMB: 64 },
    { name: 'xresnet34', params: real, steps: 5, flushMB: 0 },
  ];
}

/** Returns a function that takes some steps and returns the median microseconds of one. */
function stepper({ params, steps, flushMB }: Shape): () => number {
  for (const p of params) p.grad = ones(p.shape);
  const opt = Nadam(params, { lr: 1e-3, wd: 0.01, fused: 'auto' });
  for (let i = 0; i < 2; i++) opt.step();
  if (!opt.explain().includes('in one pass')) throw new Error(opt.explain());
  const flushed = zeros([flushMB << 18]);
  return () => {
    const taken = Array.from({ length: steps }, () => {
      if (flushMB > 0) flushed.add_(1);
      const start = performance.now();
      opt.step();
      return (performance.now() - start) * 1e3;
    });
    return median(taken);
  };
}

function kernel(program: string, { params, steps, flushMB }: Shape): number {
  const numbers = [0, steps, flushMB, ...params.map((p) => p.numel)];
  const { status, stdout, stderr } = spawnSync(program, numbers.map(String), { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ended with status ${status}: ${stderr}`);
  return Number(stdout);
}

/** Medians of interleaved rounds, in microseconds to the nanosecond. */
function measure(program: string, shape: Shape, rounds: number): Record<string, number> {
  const step = stepper(shape);
  step(); // V8 compiles it
  const taken = Array.from({ length: rounds }, () => [step(), kernel(program, shape)] as const);
  const medians = {
    step: median(taken.map(([whole]) => whole)),
    kernel: median(taken.map(([, bare]) => bare)),
    above: median(taken.map(([whole, bare]) => whole - bare)),
  };
  return Object.fromEntries(
    Object.entries(medians).map(([name, value]) => [`${name} us`, Math.round(value * 1e3) / 1e3]),
  );
}

function main(program: string, args: readonly string[]): void {
  setNumThreads(1);
  const rounds = args.includes('--quick') ? 2 : 15;
  const results = Object.fromEntries(
    shapes().map((shape) => [shape.name, measure(program, shape, rounds)]),
  );
  console.table(results);
  const above = results['116 of 4']?.['above us'] ?? NaN;
  const reached = above <= TARGET_US;
  console.log(
    `${above} us above the kernel, at most ${TARGET_US}: ${reached ? 'reached' : 'missed'}`,
  );
  const [cpu, date] = [cpus()[0]?.model, new Date().toISOString().slice(0, 10)];
  const versions = { node: process.version, libtorch: version().libtorch };
  const figure = { name: 'us above the kernel', value: above, atMost: TARGET_US, reached };
  const report = { date, cpu, ...versions, threads: 1, rounds, results, figures: [figure] };
  const output = args[args.indexOf('--output') + 1];
  if (args.includes('--output') && output !== undefined)
    writeFileSync(output, `${JSON.stringify(report, undefined, 2)}\n`);
}

main(process.argv[2] ?? '', process.argv.slice(3));
