import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../../lib/internal/root';
import { outputOf, run } from '../../lib/setup/run';
import { Machine } from '../support/machine';

let machine: Machine;
beforeEach(() => (machine = new Machine()));
afterEach(() => machine.remove());

test('run gives the status of the command', async () => {
  machine.tool('tool', 'exit 3');
  expect(await run('tool', [])).toBe(3);
  await expect(run('no-such-tool', [])).rejects.toThrow(/ENOENT/);
  machine.tool('tool', 'kill -9 $$');
  expect(await run('tool', [])).toBe(137);
});

test('outputOf is undefined for a command that is absent or fails', () => {
  machine.tool('good', 'echo yes');
  machine.tool('bad', 'echo no; exit 1');
  expect([outputOf('good', []), outputOf('bad', []), outputOf('none', [])]).toEqual([
    'yes\n',
    undefined,
    undefined,
  ]);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)(
  '%s stops the command and all that it started, and ends with %i',
  async (signal, status) => {
    const [started, late] = [join(machine.folder, 'started'), join(machine.folder, 'late')];
    machine.tool('tool', `touch ${started}; (sleep 1; touch ${late})`);
    const script = join(packageRoot(), 'build/tools/lib/setup/run.js');
    const code = `require(${JSON.stringify(script)}).run('tool', [])`;
    const child = spawn(process.execPath, ['-e', code], { env: process.env });
    const closed = new Promise((resolve) => child.on('close', resolve));
    while (!existsSync(started)) await sleep(20);
    child.kill(signal);
    expect(await closed).toBe(status);
    await sleep(1200);
    expect(existsSync(late)).toBe(false);
  },
);
