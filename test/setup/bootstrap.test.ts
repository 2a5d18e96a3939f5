import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../lib/internal/root';
import { Machine } from '../support/machine';

let machine: Machine;
/** A checkout with little to compile, and nothing of libtorch. */
beforeEach(() => {
  machine = new Machine();
  for (const path of [
    ...['scripts/bootstrap.mjs', 'lib/setup/lock.ts', 'package.json', 'tsconfig.json'],
    ...['tsconfig.tools.json', 'tsconfig.build.json'],
  ])
    cpSync(join(packageRoot(), path), join(machine.folder, path));
  symlinkSync(join(packageRoot(), 'node_modules'), join(machine.folder, 'node_modules'));
  machine.file('lib/setup/setup.ts', 'export async function setUp(): Promise<void> {}');
  machine.file('scripts/write-esm.ts', '');
  machine.file(
    'scripts/generate-ops/main.ts',
    "require('node:fs').mkdirSync('lib/ops/generated', { recursive: true });",
  );
});
afterEach(() => machine.remove());

function bootstrap(): number | null {
  const script = join(machine.folder, 'scripts/bootstrap.mjs');
  return spawnSync(process.execPath, [script], { stdio: 'ignore' }).status;
}

function leftovers(): string[] {
  return readdirSync(join(machine.folder, 'build')).filter((name) => name.includes('.tmp-'));
}

test('removes what an interrupted bootstrap left aside, and not what a running one is making', () => {
  const { pid: dead } = spawnSync(process.execPath, ['-e', '']);
  machine.file(`build/dist.tmp-${dead}/index.js`, '');
  machine.file(`build/dist.tmp-${process.pid}/index.js`, '');
  expect(bootstrap()).toBe(0);
  expect(leftovers()).toEqual([`dist.tmp-${process.pid}`]);
  expect(existsSync(join(machine.folder, 'dist/setup/lock.js'))).toBe(true);
});

test('leaves nothing aside when a compilation fails, and ends with status 1', () => {
  machine.file('lib/setup/setup.ts', 'export const wrong: number = true;');
  expect(bootstrap()).toBe(1);
  expect(readdirSync(join(machine.folder, 'build'))).toEqual([]);
});
