/**
 * Runs the memory loop and a training step on other major versions of Node, which come from npm:
 *
 *     node <this>
 *
 * The addon is compiled at install for one version and refuses others, so each gets a copy of the package whose manifest names it.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifestPath, readManifest, thisRuntime } from '../lib/internal/manifest';
import { packageRoot } from '../lib/internal/root';
import { nodeBinary } from './node-binary';

const root = packageRoot();
const majors = [20, 22, 24];
const limitMB = 600;

function nodeOf(major: number): string | Promise<string> {
  return thisRuntime().node === major ? process.execPath : nodeBinary(major);
}

function copyFor(major: number): string {
  const copy = join(root, `build/node-${major}-package`);
  rmSync(copy, { recursive: true, force: true });
  for (const part of ['package.json', 'dist', 'build/Release'])
    cpSync(join(root, part), join(copy, part), { recursive: true });
  writeFileSync(manifestPath(copy), JSON.stringify({ ...readManifest(copy), node: major }));
  return join(copy, 'dist');
}

async function passes(major: number): Promise<boolean> {
  const { status, stdout, stderr } = spawnSync(
    await nodeOf(major),
    [join(root, 'test/memory/loop.cjs'), copyFor(major)],
    { encoding: 'utf8' },
  );
  console.log(stdout.trim() || `Node ${major}: ${stderr}`);
  if (status !== 0) return false;
  const [, grownMB = limitMB] = /"grownMB":(\d+)/.exec(stdout) ?? [];
  return stdout.includes('"step":1') && Number(grownMB) < limitMB;
}

async function main(): Promise<void> {
  if (thisRuntime().platform !== 'linux-x64') {
    console.log(`node-versions: covers linux-x64 only, this is ${thisRuntime().platform}`);
    return;
  }
  for (const major of majors) if (!(await passes(major))) process.exitCode = 1;
}

void main();
