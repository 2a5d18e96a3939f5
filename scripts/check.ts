import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../lib/internal/root';
import { run } from '../lib/setup/run';

/**
 * Runs every check of this checkout, which must have been built, and says which failed:
 *
 *     node <this> [--fix] [--skip <step>]... [--only <step>]...
 */
const root = packageRoot();

function bin(script: string, ...args: string[]): string[] {
  return [process.execPath, join(root, 'node_modules', script), ...args];
}

function tool(name: string, ...args: string[]): string[] {
  return [process.execPath, join(root, 'build/tools/scripts', name), ...args];
}

function nativeFiles(): string[] {
  return ['native', 'bench/native'].flatMap((folder) => {
    const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
    return names.filter((name) => /\.(cpp|h|cu)$/.test(name)).map((name) => `${folder}/${name}`);
  });
}

// What users' compilers see, from which internal members are stripped.
const declarations = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'node16'];

function steps(fix: boolean): Record<string, string[][]> {
  const clangFormat = bin(
    '@wasm-fmt/clang-format/clang-format-cli.cjs',
    ...(fix ? ['-i'] : ['--dry-run', '-Werror']),
  );
  const jest = [process.execPath, '--expose-gc', join(root, 'node_modules/jest/bin/jest.js')];
  return {
    format: [
      bin('prettier/bin/prettier.cjs', '--log-level', 'warn', fix ? '--write' : '--check', '.'),
      [...clangFormat, ...nativeFiles()],
    ],
    lint: [bin('eslint/bin/eslint.js', ...(fix ? ['--fix'] : []), '.'), tool('native-layers.js')],
    types: [
      bin('typescript/bin/tsc', '--project', 'tsconfig.json'),
      bin('typescript/bin/tsc', ...declarations, 'dist/index.d.ts', 'dist/index.d.mts'),
    ],
    unused: [bin('knip/bin/knip.js')],
    unit: [jest],
    native: [
      ['cmake', '-DFASTOPT_TESTS=ON', 'build/cmake'],
      ['cmake', '--build', 'build/cmake'],
      ['ctest', '--test-dir', 'build/cmake', '--output-on-failure'],
      tool('cuda-kernels.js'),
    ],
    bench: [tool('bench/main.js', 'optim', '--quick'), tool('bench/main.js', 'step', '--quick')],
    instructions: [tool('bench/main.js', 'callgrind')],
    nodes: [tool('node-versions.js')],
    package: [
      bin('publint/src/cli.js', '--strict'),
      bin('@arethetypeswrong/cli/dist/index.js', '--pack', '.'),
      [...jest, '--config', 'jest.package.config.cjs'],
    ],
  };
}

async function passes(commands: readonly string[][]): Promise<boolean> {
  for (const [command = '', ...args] of commands) {
    if ((await run(command, args, { cwd: root })) !== 0) return false;
  }
  return true;
}

/** Returns the values of an option that may come several times. */
function valuesOf(option: string, args: readonly string[]): string[] {
  return args.flatMap((arg, i) => (args[i - 1] === option ? [arg] : []));
}

async function main(args: readonly string[]): Promise<void> {
  const only = valuesOf('--only', args);
  const skip = valuesOf('--skip', args);
  const failed: string[] = [];
  for (const [name, commands] of Object.entries(steps(args.includes('--fix')))) {
    if (skip.includes(name) || (only.length > 0 && !only.includes(name))) continue;
    console.log(`\n== ${name}`);
    const start = performance.now();
    if (!(await passes(commands))) failed.push(name);
    console.log(
      `== ${name}: ${failed.includes(name) ? 'FAILED' : 'passed'} in ${((performance.now() - start) / 1000).toFixed(1)} s`,
    );
  }
  console.log(failed.length > 0 ? `\nFailed: ${failed.join(', ')}` : '\nAll checks pass');
  process.exitCode = failed.length > 0 ? 1 : 0;
}

void main(process.argv.slice(2));
