import { existsSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { addonPath, manifestPath, readManifest } from '../../lib/internal/manifest';
import { writeManifest } from '../../lib/setup/build';
import { SetupError } from '../../lib/setup/error';
import { install } from '../../lib/setup/install';
import { setUp } from '../../lib/setup/setup';
import { Machine } from '../support/machine';

let machine: Machine;
let root: string;
beforeEach(() => {
  machine = new Machine();
  process.env.PATH = [join(machine.folder, 'bin'), dirname(process.execPath)].join(delimiter);
  root = machine.folder;
  machine.file(
    'package.json',
    '{"name": "p", "version": "1.0.0", "binary": {"napi_versions": [8]}}',
  );
  machine.file('CMakeLists.txt', '');
  machine.file('native/core/a.cpp', 'int a;');
  machine.tool('c++', 'exit 0');
  machine.tool('ninja', 'exit 0');
  machine.tool('python3', 'exit 1');
  cmake('exit 0');
});
afterEach(() => machine.remove());

/** A CMake that writes down what it is asked, and "builds" the addon. */
function cmake(build: string): void {
  machine.tool(
    'cmake',
    `
      case "$1" in
        --version) echo cmake version 3.25.1;;
        -E) echo '{"generators": [{"name": "Ninja"}]}';;
        --build) echo build >> ${root}/calls; mkdir -p ${root}/build/Release
                 touch ${root}/build/Release/fastopt_torch.node; ${build};;
        *) echo "$@" >> ${root}/configured;;
      esac
    `,
  );
}

function builds(): number {
  const calls = join(root, 'calls');
  return existsSync(calls) ? readFileSync(calls, 'utf8').split('\n').length - 1 : 0;
}

const options = { fetch: false, log: () => undefined };

test('builds once, and writes what it was built from', async () => {
  const path = machine.libtorch('.libtorch/torch');
  const manifest = await setUp(root, options);
  expect(await setUp(root, options)).toEqual(manifest);
  expect(builds()).toBe(1);
  expect(readManifest(root)).toEqual(manifest);
  expect(manifest.libtorch).toEqual({ path, version: '2.13.0+cpu' });
  expect(readFileSync(join(root, 'configured'), 'utf8')).toContain(`-DFASTOPT_LIBTORCH=${path}`);
});

test.each<[string, () => void]>([
  ['a source', () => machine.file('native/core/a.cpp', 'int b;')],
  ['a flag', () => machine.file('native/build.json', '{"cflags": ["-O3"]}')],
  ['the libtorch', () => void machine.libtorch('.libtorch/torch', '2.14.1+cpu')],
  ['the place of the libtorch', () => (process.env.FASTOPT_LIBTORCH = machine.libtorch('other'))],
  ['the Node', () => writeManifest(root, { ...readManifest(root)!, node: 18 })],
  ['the addon, which is gone,', () => rmSync(addonPath(root))],
])('builds again when %s is another', async (_, change) => {
  machine.libtorch('.libtorch/torch');
  await setUp(root, options);
  change();
  await setUp(root, options);
  await setUp(root, options);
  expect(builds()).toBe(2);
});

test('does not build again for a change in the C++ tests', async () => {
  machine.libtorch('.libtorch/torch');
  await setUp(root, options);
  machine.file('native/test/a.cpp', '');
  await setUp(root, options);
  expect(builds()).toBe(1);
});

test('builds again when it is forced to', async () => {
  machine.libtorch('.libtorch/torch');
  await setUp(root, options);
  await setUp(root, { ...options, force: true });
  expect(builds()).toBe(2);
});

test('a build that fails leaves no manifest, not even that of the build before', async () => {
  machine.libtorch('.libtorch/torch');
  await setUp(root, options);
  cmake('exit 1');
  await expect(setUp(root, { ...options, force: true })).rejects.toThrow(
    /^The addon could not be built \(cmake-js build ended with status 1\)/,
  );
  expect(existsSync(manifestPath(root))).toBe(false);
});

test('says where it searched when there is no libtorch', async () => {
  await expect(setUp(root, options)).rejects.toThrow(
    /^No libtorch was found\. Run "npx fastopt setup"[^]*LIBTORCH: not set\n {2}\.libtorch: no folder/,
  );
});

test('names a missing tool before anything is fetched', async () => {
  machine.tool('cmake', 'echo cmake version 3.16.3');
  await expect(setUp(root, { ...options, fetch: true })).rejects.toThrow(
    /^CMake 3\.19 or newer is needed/,
  );
  expect(existsSync(join(root, '.libtorch.lock'))).toBe(false);
});

test('says where it must be able to write', async () => {
  machine.libtorch('.libtorch/torch');
  machine.file('build', 'a file where the folder should be');
  await expect(setUp(root, options)).rejects.toThrow(
    new SetupError(
      `The set-up was stopped by the system (EEXIST: file already exists, mkdir '${root}/build'): it must be able to write, and have room, in ${root}/build and ${root}`,
    ),
  );
});

test('names the libraries that a libtorch lacks before it compiles', async () => {
  const path = machine.libtorch('.libtorch/torch', '2.14.1+cu130');
  machine.file('.libtorch/torch/lib/libtorch_cuda.so', '');
  machine.tool(
    'ldd',
    `
      test "$1" = ${path}/lib/libtorch_cuda.so || exit 1
      for name in libcudart.so.13 libtorch_cpu.so; do echo "  $name => not found"; done
    `,
  );
  await expect(setUp(root, options)).rejects.toThrow(
    new SetupError(
      `libtorch 2.14.1+cu130 in ${path} needs what is not found: libcudart.so.13: install CUDA's toolkit and cuDNN, or name their folders in LD_LIBRARY_PATH`,
    ),
  );
  machine.tool('ldd', "echo '  libc10.so => not found'");
  await expect(setUp(root, options)).rejects.toThrow(
    /needs what is not found: libc10\.so: unpack or install it again, as it is not whole$/,
  );
  expect(builds()).toBe(0);
});

test('says what is wrong with FASTOPT_LIBTORCH, and fetches nothing in its place', async () => {
  process.env.FASTOPT_LIBTORCH = machine.libtorch('old', '1.13.1');
  await expect(setUp(root, { ...options, fetch: true })).rejects.toThrow(
    /^FASTOPT_LIBTORCH names no libtorch that can be used: 1\.13\.1 in/,
  );
});

test('with CUDA asked for, takes only a libtorch that has it', async () => {
  machine.libtorch('.libtorch/torch');
  const plain = machine.libtorch('plain');
  process.env.LIBTORCH = machine.libtorch('gpu', '2.14.1+cu130');
  machine.file('gpu/lib/libtorch_cuda.so', '');
  const manifest = await setUp(root, { ...options, cuda: true });
  expect(manifest.libtorch.version).toBe('2.14.1+cu130');
  process.env.FASTOPT_LIBTORCH = plain;
  await expect(setUp(root, { ...options, cuda: true })).rejects.toThrow(
    `FASTOPT_LIBTORCH names no libtorch that can be used: 2.13.0+cpu in ${plain}, which has no CUDA`,
  );
});

test('install never fails: it says what to do', async () => {
  const lines = jest.spyOn(console, 'log').mockReturnValue(undefined);
  await install(root);
  expect(lines.mock.lastCall?.[0]).toMatch(
    /installed but not built yet; "npx fastopt setup" does the rest/,
  );
  machine.libtorch('.libtorch/torch');
  await install(root);
  expect(lines.mock.lastCall?.[0]).toBe('@fastopt/torch is ready');
  lines.mockRestore();
});
