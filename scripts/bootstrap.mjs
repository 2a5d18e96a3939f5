// Builds this checkout: tools, libtorch, addon, generated operators, dist/. Each step is skipped while its inputs are the same.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
process.chdir(root);

/** @param {string} path @returns {string[]} */
function filesIn(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesIn(`${path}/${name}`));
}

/** @param {readonly string[]} paths */
function hashOf(paths) {
  const hash = createHash('sha256').update(process.version);
  for (const file of paths.flatMap(filesIn))
    hash.update(`${file}\0`).update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

/**
 * Does a step unless its inputs are what they were when it was last done, and its output is still there.
 * @param {string} title @param {{ inputs: string[], output: string }} files @param {() => void} work
 */
function step(title, { inputs, output }, work) {
  const stamp = `build/stamps/${output.replaceAll('/', '-')}`;
  const hash = hashOf(inputs);
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  console.log(title);
  rmSync(stamp, { force: true });
  rmSync(output, { recursive: true, force: true });
  work();
  mkdirSync('build/stamps', { recursive: true });
  writeFileSync(stamp, hash);
}

/** @param {string} script @param {string[]} args */
function node(script, ...args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** @param {string} project */
const compile = (project) => node(require.resolve('typescript/bin/tsc'), '--project', project);

const configs = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'tsconfig.tools.json'];
const generator = 'build/tools/scripts/generate-ops/main.js';
const generated = 'lib/ops/generated';
const toolSources = ['lib/setup', 'lib/internal', 'lib/ops/schema.ts', 'scripts', ...configs];

step('Compiling the tools', { inputs: toolSources, output: 'build/tools' }, () => {
  compile('tsconfig.tools.json');
});

const { setUp } = require(join(root, 'build/tools/lib/setup/setup.js'));
try {
  await setUp(root, { fetch: true });
} catch (error) {
  if (!(error instanceof Error) || error.name !== 'SetupError') throw error;
  console.error(error.message);
  process.exit(1);
}

step(
  'Generating the operators',
  {
    inputs: ['build/tools/scripts', 'build/tools/lib/ops', 'build/Release/manifest.json'],
    output: generated,
  },
  () => node(generator),
);

step('Compiling the package', { inputs: ['lib', ...configs], output: 'dist' }, () => {
  compile('tsconfig.build.json');
  node('build/tools/scripts/write-esm.js');
});
