import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { addonPath, readManifest } from '../../lib/internal/manifest';
import { packageRoot } from '../../lib/internal/root';
import { SetupError } from '../../lib/setup/error';
import { diagnose, probeAddon, requireLoadable } from '../../lib/setup/diagnose';
import { Machine } from '../support/machine';

let machine: Machine;
beforeEach(() => (machine = new Machine()));
afterEach(() => machine.remove());

test('says that the addon of this checkout loads, and what it was built for', () => {
  const { lines, problem } = diagnose(packageRoot());
  expect(problem).toBeUndefined();
  const { libtorch } = readManifest(packageRoot())!;
  expect(lines.join('\n')).toContain(`libtorch ${libtorch.version} in ${libtorch.path}`);
  expect(lines.join('\n')).toMatch(
    /^Addon: loads; compiled for libtorch 2\.\d+\.\d+; devices: cpu/m,
  );
});

test('says that nothing was built, and where it searched', () => {
  const { lines, problem } = diagnose(machine.folder);
  expect(problem).toBe('the addon has not been built');
  expect(lines.join('\n')).toContain('  FASTOPT_LIBTORCH: not set\n  LIBTORCH: not set\n');
});

test('reports an addon that kills its process', () => {
  const addon = machine.file('addon.cjs', 'process.abort()');
  expect(probeAddon(addon).problem).toBe('loading the addon ended the process with SIGABRT');
});

test('reports what the loader says', () => {
  const addon = machine.file('addon.node', 'not a library');
  expect(probeAddon(addon).problem).toMatch(/^the addon does not load: Error: .*addon\.node/);
  expect(probeAddon(addonPath(packageRoot())).problem).toBeUndefined();
  expect(() => requireLoadable(packageRoot())).not.toThrow();
});

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('reports a function that libtorch lacks before it is called', () => {
  const source = machine.file(
    'late.cpp',
    `
      extern "C" void of_another_abi();
      extern "C" void call() { of_another_abi(); }
      extern "C" void* napi_register_module_v1(void*, void* exports) { return exports; }
    `,
  );
  machine.tool('build', `c++ -shared -fPIC ${source} -o ${machine.folder}/late.node`);
  execFileSync(join(machine.folder, 'bin/build'));
  expect(probeAddon(join(machine.folder, 'late.node')).problem).toMatch(
    /^the addon does not load: Error: .*undefined symbol: of_another_abi/,
  );
});

test('a set-up does not end well with an addon that does not load', () => {
  machine.file('build/Release/fastopt_torch.node', 'not a library');
  machine.file('build/Release/manifest.json', '{"libtorch": {"path": "/x"}}');
  expect(() => requireLoadable(machine.folder)).toThrow(SetupError);
  expect(() => requireLoadable(machine.folder)).toThrow(
    /^The addon was built against \/x, but the addon does not load: Error: .*: set FASTOPT_LIBTORCH to another libtorch$/,
  );
  machine.tool('ldd', 'for i in 1 2; do echo "  libcudart.so.13 => not found"; done');
  expect(() => requireLoadable(machine.folder)).toThrow(
    /: install what is missing, or name its folder in LD_LIBRARY_PATH\nMissing library: libcudart\.so\.13$/,
  );
});
