import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { formatBytes } from '../internal/bytes';
import { inspectLibtorch, PINNED, type Libtorch } from '../internal/libtorch';
import { SetupError } from './error';
import { withLock } from './lock';
import { run } from './run';
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

/** What a fetch needs at most: what was downloaded lies beside what is unpacked. */
const ROOM = { cpu: 1.2e9, cuda: 7e9 };

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
  return ['-m', 'pip', 'install', ...where, ...patience, ...index, requirement(cuda, platform)];
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
  PIP_ROOT_USER_ACTION: 'ignore',
  // Of pip 25.1 and newer: goes on with a download that broke off.
  PIP_RESUME_RETRIES: '10',
};

/** Refuses to begin what would fill the disk of `folder`. */
export function requireRoom(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  if (free >= bytes) return;
  throw new SetupError(
    `Fetching libtorch needs ${formatBytes(bytes)} of free space in ${folder}, and there are ${formatBytes(free)}: make room, or set FASTOPT_LIBTORCH to a libtorch`,
  );
}

function removeLeftovers(folder: string): void {
  const prefix = `${basename(folder)}.tmp-`;
  for (const name of readdirSync(dirname(folder))) {
    if (name.startsWith(prefix))
      rmSync(join(dirname(folder), name), { recursive: true, force: true });
  }
}

/** Installs into `target` by way of `temporary`, and returns what came, or what went wrong. */
async function install(
  target: string,
  temporary: string,
  cuda: boolean,
): Promise<Libtorch | string> {
  const python = requirePip();
  // On the same disk: the system's own folder may be too small.
  const env = { ...process.env, ...PIP_ENV, TMPDIR: temporary };
  const pip = async (args: readonly string[]): Promise<string | undefined> => {
    const status = await run(python, args, { env });
    return status === 0 ? undefined : `pip ended with status ${status}`;
  };
  const failure = await pip(pipArguments(target, { cuda }));
  const libraries = failure === undefined && cuda ? nvidiaRequirements(target) : [];
  // These are on the default index, and large: worth more patience.
  const where = ['-m', 'pip', 'install', '--only-binary', ':all:', '--target', target];
  const second = libraries.length > 0 ? await pip([...where, ...libraries]) : undefined;
  const result = failure ?? second ?? inspectLibtorch(target);
  const lacks = typeof result === 'object' && cuda && !result.cuda;
  return lacks ? `${result.version} came, which has no CUDA` : result;
}

async function download(folder: string, { cuda = false, log }: FetchOptions): Promise<void> {
  requirePip();
  removeLeftovers(folder);
  const kind = cuda ? 'cuda' : 'cpu';
  requireRoom(dirname(folder), ROOM[kind]);
  const temporary = `${folder}.tmp-${process.pid}`;
  const target = join(temporary, 'target');
  mkdirSync(join(temporary, 'pip'), { recursive: true });
  log(`Fetching ${requirement(cuda, process.platform)} into ${folder} (${SIZES[kind]})`);
  const fetched = await install(target, join(temporary, 'pip'), cuda);
  if (typeof fetched === 'string') {
    rmSync(temporary, { recursive: true, force: true });
    throw new SetupError(
      `libtorch could not be fetched (${fetched}): see pip's message above and run it again, which downloads only what is missing, or set FASTOPT_LIBTORCH to a libtorch`,
    );
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(target, folder);
  rmSync(temporary, { recursive: true, force: true });
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
