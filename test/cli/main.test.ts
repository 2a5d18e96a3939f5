import { spawnSync } from 'node:child_process';
import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../lib/internal/root';
import { Machine } from '../support/machine';

let machine: Machine;
/** The package as npm installs it, on a machine without libtorch or tools. */
let installed: string;
beforeEach(() => {
  machine = new Machine();
  installed = join(machine.folder, 'node_modules/@fastopt/torch');
  for (const path of ['dist', 'native', 'package.json', 'CMakeLists.txt']) {
    cpSync(join(packageRoot(), path), join(installed, path), { recursive: true });
  }
  symlinkSync(join(packageRoot(), 'node_modules'), join(installed, 'node_modules'));
});
afterEach(() => machine.remove());

function fastopt(...args: string[]) {
  const script = join(installed, 'dist/cli/main.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    env: process.env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('--help lists the commands', () => {
  const { status, stdout } = fastopt('--help');
  expect(status).toBe(0);
  expect(stdout).toMatch(/setup[^]*doctor[^]*train/);
});

test('help train lists the options of train', () => {
  const { status, stdout } = fastopt('help', 'train');
  expect(status).toBe(0);
  expect(stdout).toBe(fastopt('train', '--help').stdout);
  expect(stdout).toContain('--arch <name>');
});

test('--version prints that of package.json', () => {
  expect(fastopt('--version').stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test.each([[['--bogus']], [['bogus']], [['setup', '--bogus']], [['doctor', 'what']]])(
  '%j is refused with status 2',
  (args) => {
    const { status, stderr } = fastopt(...args);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error: .*\n\(--help lists what it takes\)\n$/);
  },
);

test('doctor says that nothing is built, where it searched, and ends with status 1', () => {
  const { status, stdout } = fastopt('doctor');
  expect(status).toBe(1);
  expect(stdout).toContain(`.libtorch: no folder ${join(machine.folder, '.libtorch')}`);
  expect(stdout).toMatch(/Problem: the addon has not been built\. Run "npx fastopt setup"\n$/);
});

test('setup names a missing tool in one sentence', () => {
  const { status, stderr } = fastopt('setup');
  expect(status).toBe(1);
  expect(stderr).toBe(
    'CMake was not found: install it and try again (on Debian or Ubuntu: sudo apt-get install -y cmake)\n',
  );
});

test('setup names a missing compiler before it starts a build', () => {
  machine.libtorch('.libtorch/torch');
  machine.tool('cmake', 'echo cmake version 3.25.1');
  const { status, stderr } = fastopt('setup');
  expect(status).toBe(1);
  expect(stderr).toMatch(/^A C\+\+ compiler was not found: install it.*\n$/);
});
