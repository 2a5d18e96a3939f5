import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../lib/internal/root';
import { SetupError } from '../../lib/setup/error';
import { outputOf } from '../../lib/setup/run';
import { buildTarget } from './native';

const storedFile = join(packageRoot(), 'bench/instructions.json');
/** How far from the stored count another count may be. */
const TOLERANCE = 0.02;
/** The most instructions for a parameter, whatever is stored. */
const TARGET = 2.4;
/** FASTOPT_AVX2 in native/optim/fused/fused.h. */
const AVX2 = 2;
const PARAMETERS = 1 << 18;

function valgrind(tool: string, program: string, steps: number): string {
  const counting = tool === 'callgrind' ? ['--callgrind-out-file=/dev/null'] : [];
  const args = [
    `--tool=${tool}`,
    ...counting,
    program,
    ...[AVX2, steps, 0, PARAMETERS].map(String),
  ];
  const { stderr, status, error } = spawnSync('valgrind', args, { encoding: 'utf8' });
  if (error) {
    throw new SetupError(
      'bench callgrind: valgrind was not found: install it and try again (on Debian or Ubuntu: sudo apt-get install -y valgrind)',
    );
  }
  if (status !== 0) throw new SetupError(`valgrind ${args.join(' ')}: ${stderr}`);
  return stderr;
}

function numberIn(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1];
  if (found === undefined)
    throw new SetupError(`bench callgrind: expected ${pattern.source}, got ${text}`);
  return Number(found.replaceAll(',', ''));
}

/** Returns what one step adds to a count of valgrind's: that of eleven steps less that of one, by ten. */
function countOf(tool: string, program: string, pattern: RegExp): number {
  const count = (steps: number): number => numberIn(valgrind(tool, program, steps), pattern);
  return (count(11) - count(1)) / 10;
}

function store(instructions: number): void {
  const compiler = outputOf(process.env.CXX ?? 'c++', ['--version'])?.split('\n')[0];
  const stored = { instructionsPerParameter: Number(instructions.toFixed(3)), compiler };
  writeFileSync(storedFile, `${JSON.stringify(stored, undefined, 2)}\n`);
}

function problemsOf(instructions: number, allocations: number): string[] {
  const text = readFileSync(storedFile, 'utf8');
  const stored = numberIn(text, /"instructionsPerParameter": ([\d.]+)/);
  const problems: string[] = [];
  if (Math.abs(instructions / stored - 1) > TOLERANCE)
    problems.push(
      `${stored} were stored, and 2% more or less may be: if it is meant, --store stores it`,
    );
  if (instructions > TARGET) problems.push(`at most ${TARGET} instructions may be`);
  if (allocations !== 0) problems.push('a step must not allocate');
  return problems;
}

/**
 * Counts the instructions and the allocations of a fused step with AVX2, and fails when they are other than stored in
 * bench/instructions.json, or more than they may be. With `--store` it stores the count first.
 *
 * @throws SetupError when valgrind is missing or the program can't be built.
 */
export async function callgrind(args: readonly string[]): Promise<number> {
  if (process.arch !== 'x64') {
    console.log(`callgrind: counts the instructions of AVX2, and this is ${process.arch}`);
    return 0;
  }
  const program = await buildTarget('fused_steps');
  const instructions = countOf('callgrind', program, /refs:\s+([\d,]+)/) / PARAMETERS;
  const allocations = countOf('memcheck', program, /heap usage: ([\d,]+) allocs/);
  console.log(
    `${instructions.toFixed(3)} instructions a parameter, ${allocations} allocations a step`,
  );
  if (args.includes('--store')) store(instructions);
  const problems = problemsOf(instructions, allocations);
  for (const problem of problems) console.error(`callgrind: ${problem}`);
  return problems.length > 0 ? 1 : 0;
}
