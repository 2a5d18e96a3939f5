import { AddonMismatchError, TorchNotFoundError } from './errors';
import { describePlaces, findLibtorch } from './libtorch';
import { addonPath, checkManifest, readManifest } from './manifest';
import { packageRoot, projectRoot } from './root';

const remedy = 'run `npx fastopt setup`, and `npx fastopt doctor` to see what is there';

function whyMissing(root: string): string {
  const { found, places } = findLibtorch(projectRoot(root));
  return found
    ? `the addon has not been built yet for the libtorch ${found.version} in ${found.path}: ${remedy}`
    : `no libtorch was found: ${remedy}. Searched:\n${describePlaces(places)}`;
}

// OpenMP reads the policy once, as it is loaded with the addon. By its default, threads without work spin, and take the cores
// from whatever else the process does: a batch beside a busy server took 5 to 20 times as long.
function requireWithPatientThreads(path: string): unknown {
  const isSet = process.env.OMP_WAIT_POLICY !== undefined;
  process.env.OMP_WAIT_POLICY ??= 'passive';
  try {
    return require(path);
  } finally {
    if (!isSet) delete process.env.OMP_WAIT_POLICY;
  }
}

/**
 * Loads the addon, which must have been built for this Node and for the libtorch that it links to: another version
 * would crash the process.
 *
 * @throws TorchNotFoundError when it has not been built, with the places where a libtorch was looked for.
 * @throws AddonMismatchError when it was built for something else.
 */
export function loadAddon(): unknown {
  const root = packageRoot();
  const manifest = readManifest(root);
  if (manifest === undefined) throw new TorchNotFoundError(`@fastopt/torch: ${whyMissing(root)}`);
  const mismatch = checkManifest(manifest);
  if (mismatch !== undefined)
    throw new AddonMismatchError(`@fastopt/torch: ${mismatch}; ${remedy}`);
  try {
    return requireWithPatientThreads(addonPath(root));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AddonMismatchError(
      `@fastopt/torch: the addon can't be loaded (${reason}); ${remedy}`,
      { cause },
    );
  }
}
