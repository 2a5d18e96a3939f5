import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describePlaces, findLibtorch } from '../internal/libtorch';
import { addonPath, checkManifest, readManifest } from '../internal/manifest';
import { projectRoot } from '../internal/root';
import { describeCuda, type CudaFacts } from './cuda';
import { SetupError } from './error';
import { outputOf } from './run';
import { missingLibraries } from './tools';

/** What is and isn't right with an installed package. */
export interface Diagnosis {
  /** The report, for a person to read. */
  readonly lines: readonly string[];
  /** What stands in the way, or undefined when the addon loads. */
  readonly problem: string | undefined;
}

/** Loads the addon and says what it says of itself; runs in a process of its own, which a bad addon may kill. */
const PROBE = `
  const addon = require(process.argv[1]);
  const facts = { config: addon.buildConfig?.(), driver: addon.cudaDriver?.(), usable: addon.cudaDeviceCount?.() };
  console.log(JSON.stringify({ ...addon.info(), ...facts }));
`;

interface AddonInfo extends CudaFacts {
  readonly libtorch: string;
  readonly cuda: boolean;
}

function isAddonInfo(value: unknown): value is AddonInfo {
  return typeof value === 'object' && value !== null && 'libtorch' in value && 'driver' in value;
}

/** Loads the addon in a child process: its lines of the report, and what went wrong. */
export function probeAddon(addon: string): Diagnosis {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['-e', PROBE, addon], {
    encoding: 'utf8',
    // Else what a libtorch of another ABI lacks would show only where it is called.
    env: { ...process.env, LD_BIND_NOW: '1' },
  });
  if (status === 0) {
    const info: unknown = JSON.parse(stdout);
    if (!isAddonInfo(info))
      return { lines: [], problem: 'the addon loads, but is not of this version' };
    const devices = info.cuda ? 'cpu, cuda' : 'cpu';
    return {
      lines: [
        `Addon: loads; compiled for libtorch ${info.libtorch}; devices: ${devices}`,
        ...describeCuda(info),
      ],
      problem: undefined,
    };
  }
  const text = stderr.split('\n').find((line) => line.includes('Error:')) ?? stderr.trim();
  const problem = signal
    ? `loading the addon ended the process with ${signal}`
    : `the addon does not load: ${text.trim()}`;
  return { lines: missingLibraries(addon).map((line) => `Missing library: ${line}`), problem };
}

/**
 * Checks that what a set-up has built can be loaded.
 *
 * @throws SetupError with what the loader says.
 */
export function requireLoadable(root: string): void {
  const { lines, problem } = probeAddon(addonPath(root));
  if (problem === undefined) return;
  const { libtorch } = readManifest(root) ?? {};
  const remedy =
    lines.length > 0
      ? 'install what is missing, or name its folder in LD_LIBRARY_PATH'
      : 'set FASTOPT_LIBTORCH to another libtorch';
  throw new SetupError(
    [`The addon was built against ${libtorch?.path}, but ${problem}: ${remedy}`, ...lines].join(
      '\n',
    ),
  );
}

function versionOf(command: string, args: readonly string[]): string {
  return outputOf(command, args)?.split('\n')[0]?.trim() ?? 'not found';
}

function probe(root: string): Diagnosis {
  const manifest = readManifest(root);
  if (!manifest || !existsSync(addonPath(root))) {
    return { lines: ['Built: no'], problem: 'the addon has not been built' };
  }
  const { libtorch, node, platform } = manifest;
  const built = `Built: for Node ${node} on ${platform}, libtorch ${libtorch.version} in ${libtorch.path}`;
  const mismatch = checkManifest(manifest);
  if (mismatch !== undefined) return { lines: [built], problem: mismatch };
  const { lines, problem } = probeAddon(addonPath(root));
  return { lines: [built, ...lines], problem };
}

/** Finds out what was built, what is found on this machine, and whether the addon loads, without loading it here. */
export function diagnose(root: string): Diagnosis {
  const { places } = findLibtorch(projectRoot(root));
  const { lines, problem } = probe(root);
  const report = [
    `Node ${process.versions.node} on ${process.platform}-${process.arch}, in ${root}`,
    ...lines,
    'Searched for libtorch:',
    describePlaces(places),
    'Tools:',
    `  ${versionOf('cmake', ['--version'])}`,
    `  C++ compiler: ${versionOf(process.env.CXX ?? 'c++', ['--version'])}`,
    `  ${versionOf('python3', ['--version'])}, ${versionOf('python3', ['-m', 'pip', '--version'])}`,
  ];
  return { lines: report, problem };
}
