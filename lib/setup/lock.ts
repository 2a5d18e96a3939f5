import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimes,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** How often a holder shows that it lives, and how long after that its lock counts as left behind. */
const HEARTBEAT_MS = 5_000;
const STALE_MS = 60_000;
const POLL_MS = 200;

const NAME = `${process.pid} on ${hostname()}`;

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error && 'code' in error ? error.code : undefined;
}

/** Creates the lock with its content in one step, so that nobody reads an empty one. */
function tryAcquire(path: string): boolean {
  const own = `${path}.${process.pid}`;
  try {
    writeFileSync(own, NAME);
    linkSync(own, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** Returns who holds the lock, or undefined when it is free or was left behind by a process that died. */
function holderOf(path: string): string | undefined {
  try {
    const holder = readFileSync(path, 'utf8');
    const [pid, host] = holder.split(' on ');
    if (host === hostname() && !isAlive(Number(pid))) return undefined;
    return Date.now() - statSync(path).mtimeMs > STALE_MS ? undefined : holder;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Runs `work` while no other process runs work under the lock file `path`; waits for its turn, and tells `wait` for whom.
 * A lock whose process died is taken over.
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  wait: (holder: string) => void,
): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  let told = false;
  while (!tryAcquire(path)) {
    const holder = holderOf(path);
    if (holder === undefined) {
      // Moved away first: of several that see the same dead lock, one succeeds.
      const aside = `${path}.${process.pid}.old`;
      try {
        renameSync(path, aside);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
      }
      rmSync(aside, { force: true });
      continue;
    }
    if (!told) wait(holder);
    told = true;
    await sleep(POLL_MS);
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    // Somebody who removes build/ by hand takes the lock with it.
    utimes(path, now, now, () => undefined);
  }, HEARTBEAT_MS);
  heartbeat.unref();
  const release = (): void => rmSync(path, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    process.off('exit', release);
    release();
  }
}
