import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { inspectLibtorch, PINNED_VERSION, type Libtorch } from '../internal/libtorch';
import { SetupError } from './error';
import { withLock } from './lock';
import { run } from './run';
import { requirePip } from './tools';

/** PyTorch's own index of CPU builds; the default index offers the CUDA build of the same version on Linux. */
const WHEEL_INDEX = 'https://download.pytorch.org/whl/cpu';

/** The same version has no `+cpu` in its name on macOS, where there is no other. */
function requirement(platform: NodeJS.Platform): string {
  return `torch==${PINNED_VERSION}${platform === 'darwin' ? '' : '+cpu'}`;
}

/** Returns pip's arguments: they serve a machine on the internet and one that has only a local wheel alike. */
export function pipArguments(
  target: string,
  platform: NodeJS.Platform = process.platform,
): string[] {
  // Without the limits, pip tries an index that can't be reached for two minutes before it takes the wheel at hand.
  const patience = ['--retries', '0', '--timeout', '5'];
  const index = ['--extra-index-url', WHEEL_INDEX];
  const where = ['--no-deps', '--only-binary', ':all:', '--target', target];
  return ['-m', 'pip', 'install', ...where, ...patience, ...index, requirement(platform)];
}

const PIP_ENV = {
  PIP_DISABLE_PIP_VERSION_CHECK: '1',
  PIP_NO_INPUT: '1',
  PIP_USER: '0',
  PIP_ROOT_USER_ACTION: 'ignore',
};

function removeLeftovers(folder: string): void {
  const prefix = `${basename(folder)}.tmp-`;
  for (const name of readdirSync(dirname(folder))) {
    if (name.startsWith(prefix))
      rmSync(join(dirname(folder), name), { recursive: true, force: true });
  }
}

async function download(folder: string, log: (line: string) => void): Promise<void> {
  const python = requirePip();
  removeLeftovers(folder);
  const temporary = `${folder}.tmp-${process.pid}`;
  log(
    `Fetching ${requirement(process.platform)} into ${folder} (about 200 MB to download, 800 MB unpacked)`,
  );
  const status = await run(python, pipArguments(temporary), {
    env: { ...process.env, ...PIP_ENV },
  });
  const fetched = status === 0 ? inspectLibtorch(temporary) : `pip ended with status ${status}`;
  if (typeof fetched === 'string') {
    rmSync(temporary, { recursive: true, force: true });
    throw new SetupError(
      `libtorch could not be fetched (${fetched}): see pip's message above and run it again, or set FASTOPT_LIBTORCH to a libtorch`,
    );
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(temporary, folder);
}

/**
 * Returns the libtorch in the project's `.libtorch/`, which is fetched with pip first when there is none. The folder appears
 * whole or not at all, also when this is interrupted or runs twice at once.
 *
 * @throws SetupError when Python or pip is missing, or the wheel can't be fetched.
 */
export async function fetchLibtorch(
  project: string,
  log: (line: string) => void,
): Promise<Libtorch> {
  const folder = join(project, '.libtorch');
  const work = async (): Promise<void> => {
    if (!existsSync(folder) || typeof inspectLibtorch(folder) === 'string')
      await download(folder, log);
  };
  await withLock(`${folder}.lock`, work, (holder) =>
    log(`Waiting for process ${holder}, which is fetching libtorch`),
  );
  const fetched = inspectLibtorch(folder);
  if (typeof fetched === 'string')
    throw new SetupError(`libtorch could not be fetched: ${fetched}`);
  return fetched;
}
