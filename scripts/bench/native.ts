import { join } from 'node:path';
import { packageRoot } from '../../lib/internal/root';
import { SetupError } from '../../lib/setup/error';
import { run } from '../../lib/setup/run';

const root = packageRoot();

/**
 * Builds a target of the CMake build that the addon is from, and returns where its output is.
 *
 * @throws SetupError when CMake or the compiler fails.
 */
export async function buildTarget(target: string, output = target): Promise<string> {
  const folder = join(root, 'build/cmake');
  const commands = [
    ['-DFASTOPT_TESTS=ON', '--log-level=WARNING', folder],
    ['--build', folder, '--target', target],
  ];
  for (const command of commands) {
    const status = await run('cmake', command);
    if (status !== 0)
      throw new SetupError(`cmake ${command.join(' ')} ended with status ${status}: see above`);
  }
  return join(folder, output);
}
