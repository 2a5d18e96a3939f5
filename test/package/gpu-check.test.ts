import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { manifestPath, readManifest } from '../../lib/internal/manifest';
import { packageRoot } from '../../lib/internal/root';

const root = packageRoot();
const work = join(root, 'build/gpu-check');
const folder = mkdtempSync(join(tmpdir(), 'fastopt-gpu-'));
afterAll(() => rmSync(folder, { recursive: true }));

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd = root) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, text: stdout + stderr };
}

/** Runs the script; its Python sees the libtorch of this checkout as its torch, but needs not be able to import it. */
function gpuCheck(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const PYTHONPATH = join(readManifest(root)!.libtorch.path, '..');
  return run(join(root, 'scripts/gpu-check.sh'), args, { PYTHONPATH, OUT: folder, ...env });
}

test('a machine without a GPU is told so, in the words of its driver', () => {
  const smi = join(folder, 'nvidia-smi');
  writeFileSync(smi, '#!/bin/sh\necho NVIDIA-SMI has failed\nexit 9\n');
  chmodSync(smi, 0o755);
  const PATH = [folder, process.env.PATH].join(delimiter);
  expect(gpuCheck([], { PATH })).toEqual({
    status: 1,
    text: 'gpu-check: no NVIDIA GPU was found: nvidia-smi says: NVIDIA-SMI has failed\n',
  });
});

test.each([
  [['--only', 'all'], "--only: expected one of build tests optim train learn, got 'all'"],
  [['--fast'], "expected --cpu or --only <part>, got '--fast'"],
])('%j is refused', (args, message) => {
  expect(gpuCheck(args)).toEqual({ status: 1, text: `gpu-check: ${message}\n` });
});

test('a Python without torch is refused', () => {
  const { status, text } = gpuCheck(['--cpu'], { PYTHONPATH: folder });
  expect([status, text]).toEqual([
    1,
    'gpu-check: python3 has no torch; PYTHON names another Python\n',
  ]);
});

describe('with a pack', () => {
  beforeAll(() => {
    expect(run('npm', ['run', 'gpu-pack'])).toMatchObject({ status: 0 });
    rmSync(work, { recursive: true, force: true });
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  const report = () => {
    const name = readdirSync(folder).find((file) => file.startsWith('cpu-check-'))!;
    return JSON.parse(readFileSync(join(folder, name), 'utf8')) as unknown;
  };

  test('the pack is small enough to be carried', () => {
    const files = readdirSync(join(root, 'build/gpu'));
    expect(files.toSorted()).toEqual(['node.tar.xz', 'package.tar.xz', 'sources.sha256']);
    const bytes = files.map((file) => statSync(join(root, 'build/gpu', file)).size);
    expect(bytes.reduce((total, size) => total + size)).toBeLessThan(60 * 2 ** 20);
  });

  test('a part that fails is reported', () => {
    const { status, text } = gpuCheck(['--cpu', '--only', 'learn']);
    expect(text).toContain('the addon has not been built yet');
    expect(text).toMatch(/gpu-check: failed: learn\n$/);
    expect(status).toBe(1);
    expect(report()).toMatchObject({ parts: { learn: { outcome: 'failed with status 1' } } });
  });

  test('what was packed trains and is tested there, by the Node of the pack', () => {
    // A build takes minutes, and test/package/install.test.ts has one. The same addon works with both versions of Node.
    cpSync(join(root, 'build/Release'), join(work, 'build/Release'), { recursive: true });
    writeFileSync(manifestPath(work), JSON.stringify({ ...readManifest(work), node: 22 }));
    const { status, text } = gpuCheck(['--cpu', '--only', 'learn']);
    expect(text).toContain('"event":"end"');
    expect([status, text.split('\n').at(-2)]).toEqual([0, 'gpu-check: all passed']);
    expect(report()).toMatchObject({
      node: expect.stringMatching(/^v22\./) as string,
      parts: { learn: { outcome: 'passed' } },
    });

    const jest = ['--expose-gc', 'node_modules/jest/bin/jest.js'];
    const config = ['--config', 'scripts/gpu/jest.config.cjs'];
    const files = ['test/optim/article.test', 'test/optim/debugger.test'];
    const tested = run(
      join(work, 'node/bin/node'),
      [...jest, ...config, '--maxWorkers=1', ...files],
      {},
      work,
    );
    expect(tested.text).toContain('PASS test/optim/debugger.test.ts');
    expect(tested.status).toBe(0);
  });
});
