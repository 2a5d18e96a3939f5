import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';

/** How to run a command. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** What a shell gives as the status of a command that a signal has ended. */
function statusOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/**
 * Runs a command in the user's terminal and resolves to its exit status. When this process is told to stop, it stops the
 * command first and then ends, with nothing said about a failure.
 */
export function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    let stoppedBy: NodeJS.Signals | undefined;
    const stop = (signal: NodeJS.Signals): void => {
      stoppedBy = signal;
      if (detached && child.pid !== undefined) process.kill(-child.pid, signal);
      else child.kill(signal);
    };
    // Before the command begins: a signal may come while it does.
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
    for (const signal of signals) process.on(signal, stop);
    // A group of its own, so that the compilers which the command starts are stopped with it.
    const detached = process.platform !== 'win32';
    const child = spawn(command, args, {
      env: process.env,
      ...options,
      stdio: 'inherit',
      detached,
    });
    child.on('error', reject);
    child.on('close', (status, signal) => {
      for (const name of signals) process.off(name, stop);
      if (stoppedBy) process.exit(statusOf(stoppedBy));
      resolve(status ?? (signal ? statusOf(signal) : 1));
    });
  });
}

/** Returns what a command prints, or undefined when it is absent or fails. */
export function outputOf(command: string, args: readonly string[]): string | undefined {
  const { stdout, status } = spawnSync(command, args, {
    env: process.env,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return status === 0 ? stdout : undefined;
}
