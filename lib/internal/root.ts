import { existsSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';

/** Returns the folder of this package: the nearest one above `from` that has a `package.json`. */
export function packageRoot(from: string = __dirname): string {
  let folder = from;
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) return from;
    folder = parent;
  }
  return folder;
}

/**
 * Returns the folder of the project that uses the package installed at `root`, which is where its `.libtorch/` lies:
 * the one that holds `node_modules`, or the package itself in a checkout of it.
 */
export function projectRoot(root: string = packageRoot()): string {
  const at = root.indexOf(`${sep}node_modules${sep}`);
  return at < 0 ? root : root.slice(0, at) || sep;
}
