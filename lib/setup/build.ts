import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import type { Libtorch } from '../internal/libtorch';
import { manifestPath, thisRuntime, type Manifest } from '../internal/manifest';
import { SetupError } from './error';
import { hashFiles } from './hash';
import { run } from './run';
import { requireBuildTools, requireLibraries } from './tools';

/** What one compiler process may need for a file that includes all of libtorch. */
const BYTES_PER_JOB = 1.2e9;

/** Everything that the addon is compiled from: not its tests. */
function sourcesOf(root: string): string[] {
  const native = readdirSync(join(root, 'native')).filter((name) => name !== 'test');
  return ['CMakeLists.txt', ...native.map((name) => `native/${name}`)];
}

/** Returns the manifest that a build of the package at `root` against this libtorch would write. */
export function describeBuild(root: string, libtorch: Libtorch): Manifest {
  const { path, version, cxx11Abi } = libtorch;
  return {
    libtorch: { path, version },
    ...thisRuntime(),
    flags: [`FASTOPT_CXX11_ABI=${cxx11Abi}`],
    sources: hashFiles(root, sourcesOf(root)),
  };
}

/** Writes the manifest in one step. */
export function writeManifest(root: string, manifest: Manifest): void {
  const path = manifestPath(root);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.tmp`, `${JSON.stringify(manifest, undefined, 2)}\n`);
  renameSync(`${path}.tmp`, path);
}

/** Removes CMake's folder when it was made for another libtorch or place: it would keep what it found there. */
function removeOtherBuild(root: string, folder: string, manifest: Manifest): void {
  const { sources: _, ...settings } = manifest;
  const key = JSON.stringify({ root, ...settings });
  const keyFile = join(folder, 'settings.json');
  if (existsSync(keyFile) && readFileSync(keyFile, 'utf8') === key) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(keyFile, key);
}

/** In a checkout a warning stops the build; a user's newer compiler may warn of more. */
function isCheckout(root: string): boolean {
  return existsSync(join(root, 'tsconfig.json'));
}

/**
 * Builds the addon of the package at `root` and writes its manifest last, so that an interrupted build leaves none.
 *
 * @throws SetupError when a tool or a library is missing, or the compiler fails.
 */
export async function buildAddon(
  root: string,
  libtorch: Libtorch,
  log: (line: string) => void,
): Promise<Manifest> {
  requireBuildTools();
  requireLibraries(libtorch);
  const manifest = describeBuild(root, libtorch);
  const folder = join(root, 'build/cmake');
  rmSync(manifestPath(root), { force: true });
  removeOtherBuild(root, folder, manifest);

  const jobs = Math.max(
    1,
    Math.min(availableParallelism(), Math.floor(totalmem() / BYTES_PER_JOB)),
  );
  log(
    `Building the addon against libtorch ${libtorch.version} in ${libtorch.path} (a few minutes, ${jobs} at a time)`,
  );
  const cmakeJs = require.resolve('cmake-js/bin/cmake-js');
  const common = ['--directory', root, '--out', folder, '--log-level', 'warn'];
  const flags = [
    `FASTOPT_LIBTORCH=${libtorch.path}`,
    `FASTOPT_STRICT=${isCheckout(root) ? 'ON' : 'OFF'}`,
    ...manifest.flags,
  ];
  const commands = [
    ['configure', ...common, ...flags.map((flag) => `--CD${flag}`)],
    ['build', ...common, '--target', 'fastopt_torch', '--parallel', String(jobs)],
  ];
  for (const command of commands) {
    const status = await run(process.execPath, [cmakeJs, ...command], { cwd: root });
    if (status !== 0) {
      throw new SetupError(
        `The addon could not be built (cmake-js ${command[0]} ended with status ${status}): see the message above`,
      );
    }
  }
  writeManifest(root, manifest);
  return manifest;
}
