import { isDeepStrictEqual } from 'node:util';
import { join } from 'node:path';
import { describePlaces, findLibtorch } from '../internal/libtorch';
import { checkManifest, readManifest, type Manifest } from '../internal/manifest';
import { projectRoot } from '../internal/root';
import { buildAddon, describeBuild } from './build';
import { explainSystemError, SetupError } from './error';
import { fetchLibtorch } from './fetch';
import { withLock } from './lock';
import { requireBuildTools } from './tools';

/** How to set up. */
export interface SetupOptions {
  /** Fetch a libtorch when none is found; otherwise that is an error. */
  readonly fetch: boolean;
  /** Build again also when nothing has changed. */
  readonly force?: boolean;
  /** Take, or fetch, only a libtorch with CUDA. */
  readonly cuda?: boolean;
  readonly log?: (line: string) => void;
}

/**
 * Finds or fetches a libtorch and builds the addon of the package at `root` against it; does nothing when all that is done.
 *
 * @returns what the addon was built from.
 * @throws SetupError with one sentence for the user: what is missing, and how to install it.
 */
export async function setUp(root: string, options: SetupOptions): Promise<Manifest> {
  const {
    fetch,
    force = false,
    cuda = false,
    log = (line: string): void => console.log(line),
  } = options;
  const project = projectRoot(root);
  const search = () => findLibtorch(project, { known: readManifest(root)?.libtorch.path, cuda });
  const upToDate = (): Manifest | undefined => {
    const manifest = readManifest(root);
    const { found } = search();
    if (force || !manifest || !found || checkManifest(manifest) !== undefined) return undefined;
    return isDeepStrictEqual(manifest, describeBuild(root, found)) ? manifest : undefined;
  };
  const work = async (): Promise<Manifest> => {
    const done = upToDate();
    if (done) return done;
    const { found, places } = search();
    if (found) return buildAddon(root, found, log);
    if (process.env.FASTOPT_LIBTORCH) {
      throw new SetupError(
        `FASTOPT_LIBTORCH names no libtorch that can be used: ${places[0]?.verdict ?? ''}`,
      );
    }
    if (!fetch) {
      throw new SetupError(
        `No libtorch was found. Run "npx fastopt setup" to fetch one, or set FASTOPT_LIBTORCH. Searched:\n${describePlaces(places)}`,
      );
    }
    // Before gigabytes are fetched that nothing can be built with.
    requireBuildTools();
    return buildAddon(root, await fetchLibtorch(project, { cuda, log }), log);
  };
  const lock = join(root, 'build/setup.lock');
  const wait = (holder: string): void => log(`Waiting for the set-up in process ${holder}`);
  try {
    return upToDate() ?? (await withLock(lock, work, wait));
  } catch (error) {
    throw explainSystemError(error, [join(root, 'build'), project]);
  }
}
