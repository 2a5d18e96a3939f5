'use strict';
// What binding.gyp needs to know: the libtorch at hand, and the lists in native/build.json. Needs `npm run build` in a checkout.
const { existsSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const compiled = [join(root, 'dist'), join(root, 'build/tools/lib')].find((folder) =>
  existsSync(folder),
);
if (compiled === undefined) throw new Error('binding.gyp: run "npm run build" first');
const build = require('../native/build.json');
const { findLibtorch } = require(join(compiled, 'internal/libtorch.js'));
const { projectRoot } = require(join(compiled, 'internal/root.js'));
const { describeBuild, writeManifest } = require(join(compiled, 'setup/build.js'));

function libtorch() {
  const { found, places } = findLibtorch(projectRoot(root));
  if (!found) throw new Error(`binding.gyp: no libtorch was found: ${JSON.stringify(places)}`);
  return found;
}

function isKernel(source) {
  return source.startsWith('native/optim/fused/');
}

const answers = {
  libtorch: () => [libtorch().path],
  libraries: () =>
    ['torch', 'torch_cpu', 'c10', ...(libtorch().cuda ? ['torch_cuda', 'c10_cuda'] : [])].map(
      (name) => `-l${name}`,
    ),
  defines: () => [...build.defines, `_GLIBCXX_USE_CXX11_ABI=${libtorch().cxx11Abi}`],
  cflags: () => build.cflags,
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

console.log(answers[process.argv[2]]().join(' '));
