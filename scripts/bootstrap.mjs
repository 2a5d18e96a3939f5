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

function isTypeScript(file) {
  return file.endsWith('.ts');
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

/** A script has failed, and has said why. */
class ScriptError extends Error {}

function node(script, ...args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { stdio: 'inherit' });
  if (status !== 0) throw new ScriptError(`${script} ended with status ${status}`);
}

function isAnotherRunning(pid) {
  if (pid === process.pid) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Removes what bootstraps that were interrupted have left aside. */
function removeLeftovers() {
  for (const name of fs.existsSync('build') ? fs.readdirSync('build') : []) {
    const pid = Number(/\.tmp-(\d+)$/.exec(name)?.[1]);
    if (pid && !isAnotherRunning(pid))
      fs.rmSync(join('build', name), { recursive: true, force: true });
  }
}

/** Compiles a project aside and then puts the result in its place, which so never holds half of one. */
function compile(project, output, isDone) {
  const aside = `build/${output.replaceAll('/', '-')}.tmp-${process.pid}`;
  try {
    node(require.resolve('typescript/bin/tsc'), '--project', project, '--outDir', aside);
    // Another bootstrap may have been faster, and be using what it made.
    if (isDone()) return;
    fs.rmSync(output, { recursive: true, force: true });
    fs.renameSync(aside, output);
  } finally {
    fs.rmSync(aside, { recursive: true, force: true });
  }
}

const configs = [
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'tsconfig.programs.json',
  'tsconfig.tools.json',
];

/** Not under the lock, which is among these tools: of two bootstraps at once, the first to finish gives its tools to both. */
function buildTools() {
  step('Compiling the tools', {
    inputs: ['lib/setup', 'lib/internal', 'lib/ops/schema.ts', 'scripts', ...configs],
    output: 'build/tools',
    work: (output, isDone) => compile('tsconfig.tools.json', output, isDone),
  });
}

async function build() {
  const { setUp } = require(join(root, 'build/tools/lib/setup/setup.js'));
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
    inputs: ['examples', ...filesIn('bench').filter(isTypeScript), 'dist', ...configs],
    output: 'build/programs',
    work: (output, isDone) => compile('tsconfig.programs.json', output, isDone),
  });
}

try {
  removeLeftovers();
  buildTools();
  const { withLock } = require(join(root, 'build/tools/lib/setup/lock.js'));
  await withLock(join(root, 'build/bootstrap.lock'), build, (holder) =>
    console.log(`Waiting for process ${holder}, which is building`),
  );
} catch (error) {
  process.exitCode = 1;
  if (error?.name === 'SetupError') console.error(error.message);
  else if (!(error instanceof ScriptError)) throw error;
}
