import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The versions that the set-up fetches: for the CPU, and with CUDA. */
export const PINNED = { cpu: '2.13.0', cuda: '2.14.1' } as const;
/** The first and the last minor version that the sources compile against. */
export const SUPPORTED = { from: '2.11', to: '2.14' } as const;

/** A libtorch on this machine that the addon can be built against. */
export interface Libtorch {
  /** The folder with `include/` and `lib/`. */
  readonly path: string;
  /** Such as `2.13.0+cpu`. */
  readonly version: string;
  readonly cuda: boolean;
  /** What `_GLIBCXX_USE_CXX11_ABI` was when it was compiled. */
  readonly cxx11Abi: 0 | 1;
}

/** Somewhere that was searched, and what was there. */
export interface Place {
  readonly name: string;
  readonly verdict: string;
}

/** What a search found, and where it looked until then. */
export interface Search {
  readonly found: Libtorch | undefined;
  readonly places: readonly Place[];
}

/** Where to search; everything has a default but the project. */
export interface SearchOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** A libtorch used before: taken instead of asking Python, which is slow. */
  readonly known?: string | undefined;
  readonly systemFolders?: readonly string[];
  /** Passes over every libtorch without CUDA. */
  readonly cuda?: boolean;
}

const SYSTEM_FOLDERS = [
  '/usr/local/libtorch',
  '/opt/libtorch',
  '/usr/local',
  '/opt/homebrew/opt/pytorch',
  'C:\\libtorch',
];

const FIND_TORCH =
  'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")';

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** Returns the version of the libtorch in `path`, or undefined where no file tells it. */
export function libtorchVersion(path: string): string | undefined {
  const wheel = /__version__ = '([^']+)'/.exec(textOf(join(path, 'version.py')));
  if (wheel) return wheel[1];
  const archive = textOf(join(path, 'build-version')).trim();
  if (archive) return archive;
  const headers = [
    'include/torch/headeronly/version.h',
    'include/torch/csrc/api/include/torch/version.h',
  ];
  for (const header of headers) {
    const define = /#define TORCH_VERSION\s+\\?\s*"([^"]+)"/.exec(textOf(join(path, header)));
    if (define) return define[1];
  }
  return undefined;
}

function isSupported(version: string): boolean {
  const [major, minor] = version.split('.').map(Number);
  const [fromMajor, fromMinor] = SUPPORTED.from.split('.').map(Number);
  const [, toMinor] = SUPPORTED.to.split('.').map(Number);
  if (minor === undefined || fromMinor === undefined || toMinor === undefined) return false;
  return major === fromMajor && minor >= fromMinor && minor <= toMinor;
}

function hasLibrary(path: string, name: string): boolean {
  return [`lib${name}.so`, `lib${name}.dylib`, `${name}.dll`].some((file) =>
    existsSync(join(path, 'lib', file)),
  );
}

/** Returns the libtorch in `folder` (or in its `torch/` or `libtorch/`), or why there is none to use. */
export function inspectLibtorch(folder: string): Libtorch | string {
  if (!existsSync(folder)) return `no folder ${folder}`;
  const path = ['.', 'torch', 'libtorch']
    .map((inner) => join(folder, inner))
    .find((inner) => existsSync(join(inner, 'include/ATen')) && hasLibrary(inner, 'torch_cpu'));
  if (path === undefined) return `no include/ATen and lib/libtorch_cpu in ${folder}`;
  const version = libtorchVersion(path);
  if (version === undefined) return `no version in ${path}`;
  if (!isSupported(version)) {
    return `${version} in ${path}, where ${SUPPORTED.from} to ${SUPPORTED.to} is needed`;
  }
  const config = textOf(join(path, 'share/cmake/Torch/TorchConfig.cmake'));
  const cxx11Abi = config.includes('_GLIBCXX_USE_CXX11_ABI=0') ? 0 : 1;
  return { path, version, cuda: hasLibrary(path, 'torch_cuda'), cxx11Abi };
}

function pythonTorch(env: NodeJS.ProcessEnv): string | undefined {
  for (const python of ['python3', 'python']) {
    const { stdout, status } = spawnSync(python, ['-c', FIND_TORCH], {
      env,
      encoding: 'utf8',
      timeout: 30_000,
      // Else a folder named torch in the working directory would count.
      cwd: join(__dirname),
    });
    if (status === 0) return stdout.trim() || undefined;
  }
  return undefined;
}

/**
 * Searches for a libtorch: `FASTOPT_LIBTORCH`, `LIBTORCH`, the project's `.libtorch/`, Python's torch, the usual system
 * folders. A `FASTOPT_LIBTORCH` that can't be used ends the search: what was asked for by name is never replaced.
 */
export function findLibtorch(project: string, options: SearchOptions = {}): Search {
  const { env = process.env, known, systemFolders = SYSTEM_FOLDERS, cuda = false } = options;
  const places: Place[] = [];
  const inspect = (folder: string): Libtorch | string => {
    const result = inspectLibtorch(folder);
    const lacks = typeof result === 'object' && cuda && !result.cuda;
    return lacks ? `${result.version} in ${result.path}, which has no CUDA` : result;
  };
  const look = (name: string, folder: string | undefined, absent: string): Libtorch | undefined => {
    const result = folder ? inspect(folder) : absent;
    places.push({
      name,
      verdict: typeof result === 'string' ? result : `${result.version} in ${result.path}`,
    });
    return typeof result === 'string' ? undefined : result;
  };
  const asked = look('FASTOPT_LIBTORCH', env.FASTOPT_LIBTORCH, 'not set');
  if (asked || env.FASTOPT_LIBTORCH) return { found: asked, places };
  const near =
    look('LIBTORCH', env.LIBTORCH, 'not set') ?? look('.libtorch', join(project, '.libtorch'), '');
  if (near) return { found: near, places };
  const before = known === undefined ? undefined : inspect(known);
  if (typeof before === 'object') return { found: before, places };
  const python = look('python3', pythonTorch(env), 'no Python with torch on the PATH');
  if (python) return { found: python, places };
  for (const folder of systemFolders) {
    const found = look('system', folder, '');
    if (found) return { found, places };
  }
  return { found: undefined, places };
}

/** Describes what a search saw, one place a line. */
export function describePlaces(places: readonly Place[]): string {
  return places.map(({ name, verdict }) => `  ${name}: ${verdict}`).join('\n');
}
