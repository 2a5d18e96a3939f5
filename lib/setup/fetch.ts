import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { formatBytes } from '../internal/bytes';
import { inspectLibtorch, PINNED, type Libtorch } from '../internal/libtorch';
import { SetupError } from './error';
import { withLock } from './lock';
import { outputOf, run } from './run';
import { requirePip } from './tools';

/** What to fetch, and whom to tell. */
export interface FetchOptions {
  /** The build with CUDA, and NVIDIA's libraries. */
  readonly cuda?: boolean;
  readonly log: (line: string) => void;
}

/** PyTorch's own indexes: the default one offers a build with CUDA on Linux, and one for the CPU elsewhere. */
const WHEEL_INDEX = {
  cpu: 'https://download.pytorch.org/whl/cpu',
  cuda: 'https://download.pytorch.org/whl/cu130',
};
const SIZES = {
  cpu: 'about 200 MB to download, 800 MB unpacked',
  cuda: "with NVIDIA's libraries, about 2.7 GB to download, 4.3 GB unpacked",
};

/** What a fetch needs at most, where what was downloaded lies beside what is unpacked, and what pip's cache keeps of it. */
const ROOM = { cpu: 1.2e9, cuda: 7e9 };
const CACHED = { cpu: 0.2e9, cuda: 2.7e9 };

function requirement(cuda: boolean, platform: NodeJS.Platform): string {
  // Without more in its name any build will do, such as the one with CUDA of the default index; macOS has one alone.
  if (cuda || platform === 'darwin') return `torch==${cuda ? PINNED.cuda : PINNED.cpu}`;
  return `torch==${PINNED.cpu}+cpu`;
}

/** Returns pip's arguments: they serve a machine on the internet and one that has only a local wheel alike. */
export function pipArguments(
  target: string,
  {
    cuda = false,
    platform = process.platform,
  }: { cuda?: boolean; platform?: NodeJS.Platform } = {},
): string[] {
  // Without the limits, pip tries an index that can't be reached for two minutes before it takes the wheel at hand.
  const patience = ['--retries', '0', '--timeout', '5'];
  const index = ['--extra-index-url', WHEEL_INDEX[cuda ? 'cuda' : 'cpu']];
  const where = ['--no-deps', '--only-binary', ':all:', '--target', target];
  return [...where, ...patience, ...index, requirement(cuda, platform)];
}

/** Returns what has pip take the wheels of Python 3.12 where this one has none, 3.`minor`: no Python will load them. */
export function pythonArguments(minor: number): string[] {
  return minor >= 10 && minor <= 14 ? [] : ['--python-version', '3.12'];
}

/** Returns which of the packages that a wheel in `folder` requires hold NVIDIA's libraries; the rest is for Python. */
export function nvidiaRequirements(folder: string): string[] {
  const info = readdirSync(folder).find((name) => /^torch-.*\.dist-info$/.test(name));
  const metadata = info ? readFileSync(join(folder, info, 'METADATA'), 'utf8') : '';
  const required = metadata.matchAll(/^Requires-Dist: ((?:nvidia-|cuda-toolkit).*)$/gm);
  return Array.from(required, ([, name = '']) => name.trim());
}

const PIP_ENV = {
  PIP_DISABLE_PIP_VERSION_CHECK: '1',
  PIP_NO_INPUT: '1',
  PIP_USER: '0',
  PIP_REQUIRE_VIRTUALENV: '0',
  PIP_ROOT_USER_ACTION: 'ignore',
  // Of pip 25.1 and newer: goes on with a download that broke off.
  PIP_RESUME_RETRIES: '10',
};

function freeSpace(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** Refuses to begin what would fill the disk of `folder`. */
export function requireRoom(folder: string, bytes: number): void {
  const free = freeSpace(folder);
  if (free >= bytes) return;
  throw new SetupError(
    `Fetching libtorch needs ${formatBytes(bytes)} of free space in ${folder}, and there are ${formatBytes(free)}: make room, or set FASTOPT_LIBTORCH to a libtorch`,
  );
}

function diskOf(path: string): number {
  return existsSync(path) ? statSync(path).dev : diskOf(dirname(path));
}

/** Tells whether pip may use its cache: it lies elsewhere, or the disk of `folder` has the room for it as well. */
export function cacheFits(python: string, folder: string, bytes: number): boolean {
  const cache = outputOf(python, ['-m', 'pip', 'cache', 'dir'])?.trim();
  return !cache || diskOf(cache) !== diskOf(folder) || freeSpace(folder) >= bytes;
}

function removeLeftovers(folder: string): void {
  const prefix = `${basename(folder)}.tmp-`;
  for (const name of readdirSync(dirname(folder))) {
    if (name.startsWith(prefix))
      rmSync(join(dirname(folder), name), { recursive: true, force: true });
  }
}

interface Installation {
  readonly target: string;
  readonly temporary: string;
  readonly cuda: boolean;
  readonly cached: boolean;
}

function pipFailure(python: string, status: number): SetupError {
  return new SetupError(`libtorch could not be fetched (pip ended with status ${status}): see pip's message above, and run it again, which downloads only what is missing
  a wheel is invalid or does not match its hash: run "${python} -m pip cache purge" first
  from versions: none: no index was reached, or pip is too old ("${python} -m pip install --upgrade pip")
  otherwise: set FASTOPT_LIBTORCH to a libtorch`);
}

/** Installs into `target`, with pip's own files in `temporary`, and checks what came. */
async function install(
  python: string,
  { target, temporary, cuda, cached }: Installation,
): Promise<void> {
  // On the same disk: the system's own folder may be too small.
  const env = { ...process.env, ...PIP_ENV, TMPDIR: temporary };
  const minor = Number(outputOf(python, ['-c', 'import sys; print(sys.version_info[1])']));
  const general = [...pythonArguments(minor), ...(cached ? [] : ['--no-cache-dir'])];
  const pip = async (args: readonly string[]): Promise<void> => {
    const status = await run(python, ['-m', 'pip', 'install', ...general, ...args], { env });
    if (status !== 0) throw pipFailure(python, status);
  };
  await pip(pipArguments(target, { cuda }));
  const libraries = cuda ? nvidiaRequirements(target) : [];
  // These are on the default index, and large: worth more patience.
  if (libraries.length > 0) await pip(['--only-binary', ':all:', '--target', target, ...libraries]);
  const came = inspectLibtorch(target);
  if (typeof came === 'object' && (came.cuda || !cuda)) return;
  const problem = typeof came === 'object' ? `${came.version} came, which has no CUDA` : came;
  throw new SetupError(
    `libtorch could not be fetched (${problem}): set FASTOPT_LIBTORCH to a libtorch`,
  );
}

async function download(folder: string, { cuda = false, log }: FetchOptions): Promise<void> {
  const python = requirePip();
  removeLeftovers(folder);
  const kind = cuda ? 'cuda' : 'cpu';
  const place = dirname(folder);
  requireRoom(place, ROOM[kind]);
  const cached = cacheFits(python, place, ROOM[kind] + CACHED[kind]);
  const temporary = `${folder}.tmp-${process.pid}`;
  const [target, before] = [join(temporary, 'target'), join(temporary, 'before')];
  const cleanUp = (): void => rmSync(temporary, { recursive: true, force: true });
  // Also when this is interrupted: there may be gigabytes in it.
  process.once('exit', cleanUp);
  try {
    mkdirSync(join(temporary, 'pip'), { recursive: true });
    log(`Fetching ${requirement(cuda, process.platform)} into ${folder} (${SIZES[kind]})`);
    if (!cached) log("Without pip's cache, for which the disk has no room");
    await install(python, { target, temporary: join(temporary, 'pip'), cuda, cached });
    // What was there stays usable until the new one is whole.
    if (lstatSync(folder, { throwIfNoEntry: false })) renameSync(folder, before);
    renameSync(target, folder);
  } finally {
    process.off('exit', cleanUp);
    cleanUp();
  }
}

/**
 * Returns the libtorch in the project's `.libtorch/`, which is fetched with pip first when there is none, or none with the
 * CUDA that is wanted. The folder appears whole or not at all, also when this is interrupted or runs twice at once.
 *
 * @throws SetupError when Python or pip is missing, or the wheel can't be fetched.
 */
export async function fetchLibtorch(project: string, options: FetchOptions): Promise<Libtorch> {
  const { cuda = false, log } = options;
  const folder = join(project, '.libtorch');
  if (cuda && process.platform === 'darwin')
    throw new SetupError('There is no libtorch with CUDA for macOS');
  const isThere = (): boolean => {
    const found = existsSync(folder) ? inspectLibtorch(folder) : 'nothing';
    return typeof found === 'object' && (found.cuda || !cuda);
  };
  const work = async (): Promise<void> => {
    if (!isThere()) await download(folder, options);
  };
  await withLock(`${folder}.lock`, work, (holder) =>
    log(`Waiting for process ${holder}, which is fetching libtorch`),
  );
  const fetched = inspectLibtorch(folder);
  if (typeof fetched === 'string')
    throw new SetupError(`libtorch could not be fetched: ${fetched}`);
  return fetched;
}
