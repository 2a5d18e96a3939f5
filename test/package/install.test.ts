import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readManifest } from '../../lib/internal/manifest';
import { packageRoot } from '../../lib/internal/root';

const root = packageRoot();
const folder = mkdtempSync(join(tmpdir(), 'fastopt-package-'));
let tarball: string;

beforeAll(() => {
  const { stdout } = npm(root, ['pack', '--json', '--pack-destination', folder]);
  expect(stdout).toContain('fastopt-torch-');
  tarball = join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.tgz'))!,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function command(
  name: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
): SpawnSyncReturns<string> {
  return spawnSync(name, args, { cwd, encoding: 'utf8', env: { ...process.env, ...env } });
}

function npm(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const result = command('npm', args, cwd, env);
  if (result.status !== 0)
    throw new Error(`npm ${args.join(' ')}: ${result.stdout}${result.stderr}`);
  return result;
}

/** Makes an empty project and installs the tarball into it; `FASTOPT_LIBTORCH` says where a libtorch is, or isn't. */
function installInto(name: string, libtorch: string) {
  const project = join(folder, name);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), `{"name": "${name}", "private": true}`);
  const env = { FASTOPT_LIBTORCH: libtorch };
  const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--foreground-scripts'];
  const { stdout } = npm(project, [...args, tarball], env);
  const write = (file: string, text: string): string => {
    writeFileSync(join(project, file), text);
    return file;
  };
  const node = (...nodeArgs: string[]) => command(process.execPath, nodeArgs, project, env);
  return { project, stdout, write, node };
}

const nowhere = join(folder, 'nowhere');

describe('without a libtorch', () => {
  let installed: ReturnType<typeof installInto>;
  beforeAll(() => (installed = installInto('without', nowhere)));

  test('the install succeeds and says what to do', () => {
    expect(installed.stdout).toContain(
      'installed but not built yet; "npx fastopt setup" does the rest',
    );
  });

  test('the import throws TorchNotFoundError with the places searched', () => {
    const code = `
      try { require('@fastopt/torch'); } catch ({ name, code, message }) { console.log(name, code, message); }
    `;
    const { stdout } = installed.node('-e', code);
    expect(stdout).toMatch(/^TorchNotFoundError ERR_TORCH_NOT_FOUND /);
    expect(stdout).toContain(`FASTOPT_LIBTORCH: no folder ${nowhere}`);
  });

  test('fastopt is on the path of the project, and its doctor says what is wrong', () => {
    const fastopt = join(installed.project, 'node_modules/.bin/fastopt');
    const { status, stdout } = installed.node(fastopt, 'doctor');
    expect(status).toBe(1);
    expect(stdout).toContain('Problem: the addon has not been built');
  });

  test('the tarball holds neither tests nor anything that was built for this machine', () => {
    const { stdout } = command('tar', ['-tzf', tarball], folder);
    const unwanted = /^package\/(test|build|bench|examples|native\/test|\.|node_modules)|\.node$/;
    const packed = stdout.trim().split('\n');
    expect(packed).toContain('package/dist/index.js');
    expect(packed.filter((path) => unwanted.test(path))).toEqual([]);
  });
});

describe('with a libtorch', () => {
  const libtorch = readManifest(root)!.libtorch.path;
  const code = 'console.log(tensor([1, 2]).add(1).toArray().join())';
  let installed: ReturnType<typeof installInto>;
  beforeAll(() => (installed = installInto('with', libtorch)));

  test('the install compiles the addon', () => {
    expect(installed.stdout).toContain('@fastopt/torch is ready');
    expect(readManifest(join(installed.project, 'node_modules/@fastopt/torch'))).toMatchObject({
      libtorch: { path: libtorch },
    });
  });

  test('it imports from CommonJS', () => {
    const script = installed.write(
      'a.cjs',
      `const { tensor } = require('@fastopt/torch'); ${code}`,
    );
    expect(installed.node(script).stdout).toBe('2,3\n');
  });

  test('it imports from ESM, as the same instance', () => {
    const script = installed.write(
      'a.mjs',
      `
        import { createRequire } from 'node:module';
        import * as torch from '@fastopt/torch';
        import { tensor } from '@fastopt/torch';
        const required = createRequire(import.meta.url)('@fastopt/torch');
        console.log(Object.keys(required).every((name) => required[name] === torch[name]));
        ${code}
      `,
    );
    expect(installed.node(script).stdout).toBe('true\n2,3\n');
  });

  test.each([
    ['node16', 'node16', 'a.cts'],
    ['node16', 'node16', 'a.mts'],
    ['bundler', 'esnext', 'a.ts'],
  ])('its types resolve under %s in module %s from %s', (moduleResolution, module, file) => {
    const source = `
      import { tensor, type Tensor } from '@fastopt/torch';
      export const sum: Tensor = tensor([[1, 2]]).sum();
      // @ts-expect-error: a tensor is no number
      export const wrong: number = sum;
    `;
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
    const options = [
      '--noEmit',
      '--strict',
      '--target',
      'es2022',
      '--lib',
      'es2023,esnext.disposable',
    ];
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const resolution = ['--moduleResolution', moduleResolution, '--module', module];
    const script = installed.write(file, source);
    const { status, stdout } = installed.node(tsc, ...options, ...resolution, ...types, script);
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  test('a second install compiles nothing', () => {
    const { stdout } = npm(installed.project, ['rebuild', '--foreground-scripts'], {
      FASTOPT_LIBTORCH: libtorch,
    });
    expect(stdout).toContain('@fastopt/torch is ready');
    expect(stdout).not.toContain('Building');
  });

  test('node-gyp builds the same addon', () => {
    const prefix = dirname(dirname(process.execPath));
    const gyp = join(
      npm(root, ['root', '--global']).stdout.trim(),
      'npm/node_modules/node-gyp/bin/node-gyp.js',
    );
    const installedRoot = join(installed.project, 'node_modules/@fastopt/torch');
    rmSync(join(installedRoot, 'build'), { recursive: true });
    const headers = existsSync(join(prefix, 'include/node')) ? [`--nodedir=${prefix}`] : [];
    const env = { FASTOPT_LIBTORCH: libtorch };
    const { status, stderr } = command(
      process.execPath,
      [gyp, 'rebuild', '-j', 'max', ...headers],
      installedRoot,
      env,
    );
    expect(stderr).toContain('gyp info ok');
    expect(status).toBe(0);
    expect(installed.node('a.cjs').stdout).toBe('2,3\n');
  });
});
