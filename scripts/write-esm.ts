import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { packageRoot } from '../lib/internal/root';

/**
 * Writes `dist/index.mjs`, which re-exports the CommonJS build by name: one instance of everything, however it is imported.
 */
function main(): void {
  const dist = join(packageRoot(), 'dist');
  const exported: unknown = createRequire(__filename)(join(dist, 'index.js'));
  if (typeof exported !== 'object' || exported === null)
    throw new TypeError('dist/index.js exports nothing');
  const names = Object.keys(exported).sort();
  const lines = [
    "import torch from './index.js';",
    `export const { ${names.join(', ')} } = torch;`,
  ];
  writeFileSync(join(dist, 'index.mjs'), `${lines.join('\n')}\n`);
  writeFileSync(join(dist, 'index.d.mts'), "export * from './index.js';\n");
}

main();
