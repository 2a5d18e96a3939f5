'use strict';
// What binding.gyp needs to know: the libtorch at hand, and the lists in native/build.json. Needs `npm run build` in a checkout.
const { existsSync, readdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const compiled = [join(root, 'dist'), join(root, 'build/tools/lib')].find((folder) =>
  existsSync(folder),
);
if (compiled === undefined) throw new Error('binding.gyp: run "npm run build" first');
const build = require('../native/build.json');
const { describePlaces, findLibtorch } = require(join(compiled, 'internal/libtorch.js'));
const { projectRoot } = require(join(compiled, 'internal/root.js'));
const { describeBuild, writeManifest } = require(join(compiled, 'setup/build.js'));
const { SetupError } = require(join(compiled, 'setup/error.js'));
const { requireLibraries } = require(join(compiled, 'setup/tools.js'));

function libtorch() {
  const { found, places } = findLibtorch(projectRoot(root));
  if (!found)
    throw new SetupError(
      `No libtorch was found. "npx fastopt setup" fetches one. Searched:\n${describePlaces(places)}`,
    );
  return found;
}

// Only graphs need CUDA's headers: those of the packages beside a wheel, or of a toolkit.
function cudaHeaders() {
  const { path, cuda } = libtorch();
  if (!cuda) return [];
  const packages = join(path, '../nvidia');
  const names = existsSync(packages) ? readdirSync(packages) : [];
  const folders = [
    join(path, '../triton/backends/nvidia'),
    ...names.filter((name) => name.startsWith('cu')).map((name) => join(packages, name)),
    ...(process.env.CUDA_HOME ? [process.env.CUDA_HOME] : []),
    '/usr/local/cuda',
  ];
  const headers = folders.map((folder) => join(folder, 'include'));
  return headers.filter((folder) => existsSync(join(folder, 'crt/host_config.h'))).slice(0, 1);
}

function isKernel(source) {
  return source.startsWith('native/optim/fused/');
}

const answers = {
  libtorch: () => {
    requireLibraries(libtorch());
    return [libtorch().path];
  },
  libraries: () =>
    ['torch', 'torch_cpu', 'c10', ...(libtorch().cuda ? ['torch_cuda', 'c10_cuda'] : [])].map(
      (name) => `-l${name}`,
    ),
  defines: () => [
    ...build.defines,
    `_GLIBCXX_USE_CXX11_ABI=${libtorch().cxx11Abi}`,
    ...cudaHeaders().map(() => 'FASTOPT_CUDA_HEADERS'),
  ],
  cflags: () => {
    const include = join(libtorch().path, 'include');
    const folders = [include, join(include, 'torch/csrc/api/include'), ...cudaHeaders()];
    return [...build.cflags, ...folders.map((folder) => `-isystem${folder}`)];
  },
  sources: () => build.sources.filter((source) => !isKernel(source)),
  kernel_sources: () => build.sources.filter(isKernel),
  kernel_cflags: () => [...build.cflags, ...build.kernel_cflags],
  device_sources: () => build.device_sources,
  // What NVRTC compiles on a user's machine, as a text in the addon.
  device_text: () => {
    const files = build.device_sources.map((source) => readFileSync(join(root, source), 'utf8'));
    writeFileSync(process.argv[3], files.map((text) => `R"fastopt(${text})fastopt"\n`).join(''));
    return [];
  },
  headers: () => [require('node-api-headers').include_dir],
  // Written after the addon is linked, as by the CMake build: it says which libtorch and which Node this addon is for.
  manifest: () => {
    writeManifest(root, describeBuild(root, libtorch()));
    return [];
  },
};

try {
  console.log(answers[process.argv[2]]().join(' '));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
