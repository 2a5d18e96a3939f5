import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { libtorchVersion } from './libtorch';

/** What the addon was built from and for: written last by a build, so that there is none for half a build. */
export interface Manifest {
  readonly libtorch: { readonly path: string; readonly version: string };
  /** Node's major version: the Node-API in use promises no ABI from one to the next. */
  readonly node: number;
  /** `linux-x64`. */
  readonly platform: string;
  readonly flags: readonly string[];
  /** A hash of the C++ sources and the lists of flags. */
  readonly sources: string;
}

/** Returns the path of the addon of the package at `root`. */
export function addonPath(root: string): string {
  return join(root, 'build/Release/fastopt_torch.node');
}

/** Returns the path of the manifest of the package at `root`. */
export function manifestPath(root: string): string {
  return join(root, 'build/Release/manifest.json');
}

/** Returns Node's major version and the platform of this process, as a manifest names them. */
export function thisRuntime(): Pick<Manifest, 'node' | 'platform'> {
  return {
    node: Number(process.versions.node.split('.')[0]),
    platform: `${process.platform}-${process.arch}`,
  };
}

/** Reads the manifest of the package at `root`; undefined where the addon has not been built. */
export function readManifest(root: string): Manifest | undefined {
  if (!existsSync(manifestPath(root)) || !existsSync(addonPath(root))) return undefined;
  try {
    return JSON.parse(readFileSync(manifestPath(root), 'utf8')) as Manifest;
  } catch {
    return undefined;
  }
}

/** Returns why the addon of this manifest can't be loaded by this process, or undefined when it can. */
export function checkManifest(manifest: Manifest): string | undefined {
  const { node, platform } = thisRuntime();
  const { path, version } = manifest.libtorch;
  if (manifest.node !== node)
    return `it was built for Node ${manifest.node}, and this is Node ${node}`;
  if (manifest.platform !== platform)
    return `it was built for ${manifest.platform}, and this is ${platform}`;
  if (!existsSync(join(path, 'lib')))
    return `it was built against the libtorch in ${path}, which is gone`;
  const present = libtorchVersion(path);
  if (present !== version) {
    return `it was built against libtorch ${version}, and ${path} now holds ${present ?? 'another version'}`;
  }
  return undefined;
}
