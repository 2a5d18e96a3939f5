/**
 * Runs a bench of this checkout, which must have been built with `--programs`, or lists them:
 *
 *     node <this> [<name> [<option of the bench>]...]
 */
import { join } from 'node:path';
import { packageRoot } from '../../lib/internal/root';
import { SetupError } from '../../lib/setup/error';
import { run } from '../../lib/setup/run';
import { callgrind } from './callgrind';
import { buildTarget } from './native';
import { pythonWithTorch } from './python';

interface Bench {
  readonly about: string;
  readonly needs: string;
  readonly options: string;
  readonly run: (args: readonly string[]) => Promise<number>;
}

const root = packageRoot();

function sharedLibrary(name: string): string {
  if (process.platform === 'win32') return `${name}.dll`;
  return `lib${name}.${process.platform === 'darwin' ? 'dylib' : 'so'}`;
}

/** Where a bench stores what it measures; nowhere when it only shows that it works. */
function stored(name: string, args: readonly string[]): string[] {
  if (args.includes('--quick') || args.includes('--output')) return [];
  const date = new Date().toISOString().slice(0, 10);
  return ['--output', join(root, `bench/results/${name}-${date}.json`)];
}

const benches: Readonly<Record<string, Bench>> = {
  optim: {
    about: "a fused step beside PyTorch's and timm's optimizers, in parts, each in its own process",
    needs: 'CMake, a C++ compiler, Python with pip, 12 GB of memory; about a quarter of an hour',
    options:
      '[--list] [--part NAME]... [--again] [--compile] [--rounds N] [--output FILE] [--quick]',
    async run(args) {
      const { command, env } = await pythonWithTorch();
      const library = await buildTarget('fastopt_kernels', sharedLibrary('fastopt_kernels'));
      const script = join(root, 'bench/native/optim.py');
      return run(command, [script, '--library', library, ...args, ...stored('optim', args)], {
        env,
      });
    },
  },
  step: {
    about: 'a fused step from TypeScript, above the C kernel that it calls',
    needs: 'CMake and a C++ compiler; under a minute',
    options: '[--quick] [--output FILE]',
    async run(args) {
      const program = await buildTarget('fused_steps');
      const script = join(root, 'build/programs/bench/step.js');
      return run(process.execPath, [script, program, ...args, ...stored('step', args)]);
    },
  },
  callgrind: {
    about:
      "a fused step's instructions for a parameter and its allocations, held to bench/instructions.json",
    needs: 'CMake, a C++ compiler, valgrind; some seconds',
    options: '[--store]',
    run: callgrind,
  },
};

function list(): void {
  for (const [name, { about, needs, options }] of Object.entries(benches))
    console.log(`npm run bench -- ${name} ${options}\n    ${about}\n    needs ${needs}`);
}

async function main(name: string | undefined, args: readonly string[]): Promise<void> {
  const bench = name === undefined ? undefined : benches[name];
  if (bench) {
    process.exitCode = await bench.run(args);
    return;
  }
  list();
  if (name === undefined) return;
  throw new SetupError(`bench: expected ${Object.keys(benches).join(', ')}, got '${name}'`);
}

main(process.argv[2], process.argv.slice(3)).catch((error: unknown) => {
  process.exitCode = 1;
  console.error(error instanceof SetupError ? error.message : error);
});
