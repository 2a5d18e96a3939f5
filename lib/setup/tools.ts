import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Libtorch } from '../internal/libtorch';
import { SetupError } from './error';
import { outputOf } from './run';

function missing(what: string, packages: string): SetupError {
  return new SetupError(
    `${what}: install it and try again (on Debian or Ubuntu: sudo apt-get install -y ${packages})`,
  );
}

function first(commands: readonly string[], args: readonly string[]): string | undefined {
  return commands.find((command) => outputOf(command, args) !== undefined);
}

/**
 * Checks that the tools of a build are there: CMake 3.19, a C++ compiler, Ninja or Make.
 *
 * @throws SetupError naming the first that is missing and how to install it.
 */
export function requireBuildTools(env: NodeJS.ProcessEnv = process.env): void {
  const cmake = /cmake version (\d+)\.(\d+)/.exec(outputOf('cmake', ['--version']) ?? '');
  if (!cmake) throw missing('CMake was not found', 'cmake');
  const [major, minor] = [Number(cmake[1]), Number(cmake[2])];
  if (major < 3 || (major === 3 && minor < 19)) {
    throw missing(`CMake 3.19 or newer is needed, and this is ${major}.${minor}`, 'cmake');
  }
  if (process.platform === 'win32') return;
  if (env.CXX === undefined && !first(['c++', 'g++', 'clang++'], ['--version'])) {
    throw missing('A C++ compiler was not found', 'g++');
  }
  if (!first(['ninja', 'make'], ['--version']))
    throw missing('Neither Ninja nor Make was found', 'make');
}

/** Returns which libraries, or versions of them, a library needs that the system's loader doesn't find. */
export function missingLibraries(library: string): string[] {
  if (process.platform !== 'linux') return [];
  const lines = outputOf('ldd', [library])?.split('\n') ?? [];
  const names = lines
    .filter((line) => line.includes('not found'))
    .map((line) => line.replace('=> not found', '').trim());
  return [...new Set(names)];
}

/**
 * Checks that a libtorch has what its own libraries need, such as those of CUDA.
 *
 * @throws SetupError naming what is missing.
 */
export function requireLibraries({ path, version, cuda }: Libtorch): void {
  const folder = join(path, 'lib');
  const missing = missingLibraries(join(folder, `libtorch_${cuda ? 'cuda' : 'cpu'}.so`)).filter(
    // What lies beside it is found by way of the addon.
    (name) => !existsSync(join(folder, name)),
  );
  if (missing.length === 0) return;
  const isPart = missing.some((name) => /^lib(c10|torch)/.test(name));
  const remedy = isPart
    ? 'unpack or install it again, as it is not whole'
    : `install ${cuda ? "CUDA's toolkit and cuDNN" : 'them'}, or name their folders in LD_LIBRARY_PATH`;
  throw new SetupError(
    `libtorch ${version} in ${path} needs what is not found: ${missing.join(', ')}: ${remedy}`,
  );
}

/**
 * Returns the command that runs a Python 3 with pip.
 *
 * @throws SetupError naming the one that is missing and how to install it.
 */
export function requirePip(): string {
  const python = first(
    ['python3', 'python'],
    ['-c', 'import sys; sys.exit(sys.version_info < (3,))'],
  );
  if (python === undefined) throw missing('Python 3 was not found', 'python3 python3-pip');
  if (outputOf(python, ['-m', 'pip', '--version']) === undefined) {
    throw missing(`${python} has no pip`, 'python3-pip');
  }
  return python;
}
