import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { packageRoot } from '../lib/internal/root';

/** What each folder of native/ may include by a path of ours, besides itself. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  nn: ['core'],
  optim: ['core'],
  glue: ['core', 'nn', 'optim'],
  bind: ['glue', 'core', 'nn', 'optim'],
  test: ['core', 'nn', 'optim'],
};
const WITHOUT_NODE = ['core', 'nn', 'optim', 'test'];
const NODE_HEADERS = ['napi.h', 'node_api.h', 'js_native_api.h'];

function problemsIn(folder: string, path: string, below: readonly string[]): string[] {
  const includes = readFileSync(path, 'utf8').matchAll(/^#include ["<]([^">]+)[">]/gm);
  return [...includes].flatMap(([, header = '']) => {
    if (WITHOUT_NODE.includes(folder) && NODE_HEADERS.includes(header)) {
      return [`${path} includes ${header}: native/${folder} knows nothing of Node`];
    }
    const [layer = ''] = header.split('/');
    const allowed = layer === folder || below.includes(layer) || !(layer in LAYERS);
    return allowed ? [] : [`${path} includes ${header}: native/${folder} is below native/${layer}`];
  });
}

/** Checks that no C++ file includes a header of a layer above its own. */
function main(): void {
  const native = join(packageRoot(), 'native');
  const names = readdirSync(native, { recursive: true, encoding: 'utf8' });
  const problems = names.flatMap((name) => {
    const [folder = '', ...rest] = name.split(sep);
    if (rest.length === 0 || !/\.(cpp|cu|h|cuh)$/.test(name)) return [];
    const below = LAYERS[folder];
    return below ? problemsIn(folder, join(native, name), below) : [`native/${folder} is no layer`];
  });
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

main();
