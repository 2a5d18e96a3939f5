import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, utimesSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLock } from '../../lib/setup/lock';
import { Machine } from '../support/machine';

let machine: Machine;
let lock: string;
beforeEach(() => {
  machine = new Machine();
  lock = join(machine.folder, 'some/lock');
});
afterEach(() => machine.remove());

const nobody = (holder: string): never => {
  throw new Error(`waits for ${holder}`);
};

test('gives the result of the work and leaves nothing behind', async () => {
  expect(await withLock(lock, () => Promise.resolve(existsSync(lock)), nobody)).toBe(true);
  expect(readdirSync(join(machine.folder, 'some'))).toEqual([]);
});

test('is free again after work that failed', async () => {
  await expect(withLock(lock, () => Promise.reject(new Error('no')), nobody)).rejects.toThrow('no');
  expect(existsSync(lock)).toBe(false);
});

test('makes a second holder wait, and tells it once for whom', async () => {
  const events: string[] = [];
  const work = (name: string) => async (): Promise<void> => {
    events.push(`${name} starts`);
    await sleep(300);
    events.push(`${name} ends`);
  };
  const first = withLock(lock, work('first'), nobody);
  await withLock(lock, work('second'), (holder) => events.push(`waits for ${holder}`));
  await first;
  const waits = `waits for ${process.pid} on ${hostname()}`;
  expect(events).toEqual(['first starts', waits, 'first ends', 'second starts', 'second ends']);
});

test('takes over the lock of a process that died', async () => {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  machine.file('some/lock', `${pid} on ${hostname()}`);
  expect(await withLock(lock, () => Promise.resolve('done'), nobody)).toBe('done');
});

test('takes over a lock of another host that shows no life, and no other', async () => {
  machine.file('some/lock', '1 on elsewhere');
  const waiting = withLock(
    lock,
    () => Promise.resolve('done'),
    (holder) => {
      expect(holder).toBe('1 on elsewhere');
      utimesSync(lock, 0, 0);
    },
  );
  expect(await waiting).toBe('done');
});
