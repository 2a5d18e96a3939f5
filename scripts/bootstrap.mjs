// Builds this checkout: tools, libtorch, addon, generated operators, dist/. A step is skipped while its inputs are the same.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
process.chdir(root);

function filesIn(path) {
  if (!fs.existsSync(path)) return [];
  if (!fs.statSync(path).isDirectory()) return [path];
  return fs.readdirSync(path).flatMap((name) => filesIn(`${path}/${name}`));
}

function hashOf(paths) {
  const hash = createHash('sha256').update(process.version);
  for (const file of paths.flatMap(filesIn).sort()) {
    hash.update(`${file}\0`).update(fs.readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

/** Does the work unless the output is there and was made from these very inputs. */
function step(title, { inputs, output, work }) {
  const stamp = `build/stamps/${output.replaceAll('/', '-')}`;
  const hash = hashOf(inputs);
  const isDone = () =>
    fs.existsSync(output) && fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === hash;
  if (isDone()) return;
  console.log(title);
  work(output, isDone);
  fs.mkdirSync('build/stamps', { recursive: true });
  fs.writeFileSync(stamp, hash);
}

function node(script, ...args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** Compiles a project aside and then puts the result in its place, which so never holds half of one. */
function compile(project, output, isDone) {
  const aside = `build/${output.replaceAll('/', '-')}.tmp-${process.pid}`;
  node(require.resolve('typescript/bin/tsc'), '--project', project, '--outDir', aside);
  // Another bootstrap may have been faster, and be using what it made.
  if (!isDone()) {
    fs.rmSync(output, { recursive: true, force: true });
    fs.renameSync(aside, output);
  }
  fs.rmSync(aside, { recursive: true, force: true });
}

const configs = [
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'tsconfig.programs.json',
  'tsconfig.tools.json',
];

step('Compiling the tools', {
  inputs: ['lib/setup', 'lib/internal', 'lib/ops/schema.ts', 'scripts', ...configs],
  output: 'build/tools',
  work: (output, isDone) => compile('tsconfig.tools.json', output, isDone),
});

const { setUp } = require(join(root, 'build/tools/lib/setup/setup.js'));
const { withLock } = require(join(root, 'build/tools/lib/setup/lock.js'));

async function build() {
  await setUp(root, { fetch: true });

  step('Generating the operators', {
    inputs: ['build/tools/scripts', 'build/tools/lib/ops', 'build/Release/manifest.json'],
    output: 'lib/ops/generated',
    work: () => node('build/tools/scripts/generate-ops/main.js'),
  });

  step('Compiling the package', {
    inputs: ['lib', ...configs],
    output: 'dist',
    work(output, isDone) {
      compile('tsconfig.build.json', output, isDone);
      node('build/tools/scripts/write-esm.js');
    },
  });

  if (!process.argv.includes('--programs')) return;
  step('Compiling the examples and benches', {
    inputs: ['examples', 'bench', 'dist', ...configs],
    output: 'build/programs',
    work: (output, isDone) => compile('tsconfig.programs.json', output, isDone),
  });
}

try {
  await withLock(join(root, 'build/bootstrap.lock'), build, (holder) =>
    console.log(`Waiting for process ${holder}, which is building`),
  );
} catch (error) {
  if (!(error instanceof Error) || error.name !== 'SetupError') throw error;
  console.error(error.message);
  process.exitCode = 1;
}
