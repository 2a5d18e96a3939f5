import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { libtorchVersion } from '../../lib/internal/libtorch';
import { packageRoot } from '../../lib/internal/root';
import {
  cacheFits,
  fetchLibtorch,
  nvidiaRequirements,
  pipArguments,
  pythonArguments,
  requireRoom,
} from '../../lib/setup/fetch';
import { Machine } from '../support/machine';

let machine: Machine;
let project: string;
const quiet = { log: () => undefined };
beforeEach(() => {
  machine = new Machine();
  machine.file('project/package.json', '{}');
  project = join(machine.folder, 'project');
});
afterEach(() => machine.remove());

/** A pip that counts its runs, and makes half of a libtorch, does `middle`, and makes the rest. */
function pip(middle: string): void {
  machine.tool(
    'python3',
    `
      test "$1" = -m || exit 0
      test "$3" = install || exit 0
      echo run >> ${machine.folder}/runs
      while [ "$1" != --target ]; do shift; done
      mkdir -p $2/torch/include/ATen $2/torch/lib
      ${middle}
      touch $2/torch/lib/libtorch_cpu.so
      echo "__version__ = '2.13.0+cpu'" > $2/torch/version.py
    `,
  );
}

function runs(): number {
  return readFileSync(join(machine.folder, 'runs'), 'utf8').split('\n').length - 1;
}

/** Another process that fetches; it runs the compiled tools, as a set-up does. */
function fetchElsewhere(): ChildProcess {
  const script = join(packageRoot(), 'build/tools/lib/setup/fetch.js');
  const code = `require(${JSON.stringify(script)}).fetchLibtorch(${JSON.stringify(project)}, { log: () => {} })`;
  return spawn(process.execPath, ['-e', code], { env: process.env, stdio: 'ignore' });
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.on('close', resolve));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}

test('pip is asked for the CPU build, and told not to wait for an index that is not there', () => {
  const args = pipArguments('/x', { platform: 'linux' });
  expect(args).toEqual(expect.arrayContaining(['--no-deps', '--target', '/x', '--retries', '0']));
  expect(args.at(-1)).toBe('torch==2.13.0+cpu');
  expect(pipArguments('/x', { platform: 'darwin' }).at(-1)).toBe('torch==2.13.0');
});

test('pip is asked for the build with CUDA, wherever it is', () => {
  const args = pipArguments('/x', { cuda: true, platform: 'linux' });
  expect(args.join(' ')).toContain('--extra-index-url https://download.pytorch.org/whl/cu130');
  expect(args.at(-1)).toBe('torch==2.14.1');
});

test('a Python that has no wheels is given those of another', () => {
  expect([10, 14].map(pythonArguments)).toEqual([[], []]);
  const other = ['--python-version', '3.12'];
  expect([6, 9, 15].map(pythonArguments)).toEqual([other, other, other]);
});

test('puts what pip fetched into .libtorch', async () => {
  pip('');
  const lines: string[] = [];
  const { path, version } = await fetchLibtorch(project, { log: (line) => lines.push(line) });
  expect({ path, version }).toEqual({
    path: join(project, '.libtorch/torch'),
    version: '2.13.0+cpu',
  });
  expect(lines).toEqual([
    expect.stringMatching(/^Fetching torch==2\.13\.0\+cpu into .*project\/\.libtorch/),
  ]);
  expect(readdirSync(project).sort()).toEqual(['.libtorch', 'package.json']);
});

test('does nothing when it is there already', async () => {
  machine.libtorch('project/.libtorch/torch');
  expect((await fetchLibtorch(project, { log: fail })).version).toBe('2.13.0+cpu');
});

test('leaves nothing behind when pip fails, and can be run again', async () => {
  pip('exit 1');
  await expect(fetchLibtorch(project, quiet)).rejects.toThrow(
    /^libtorch could not be fetched \(pip ended with status 1\)/,
  );
  expect(readdirSync(project)).toEqual(['package.json']);
  pip('');
  await fetchLibtorch(project, quiet);
});

test('a fetch that was killed half-way leaves no .libtorch, and the next one cleans up', async () => {
  pip('sleep 2');
  const child = fetchElsewhere();
  await until(() => existsSync(join(machine.folder, 'runs')));
  child.kill('SIGKILL');
  await exitOf(child);
  expect(existsSync(join(project, '.libtorch'))).toBe(false);
  expect(readdirSync(project).some((name) => name.startsWith('.libtorch.tmp-'))).toBe(true);
  pip('');
  await fetchLibtorch(project, quiet);
  expect(readdirSync(project).sort()).toEqual(['.libtorch', 'package.json']);
});

test('a disk without the room is refused before anything is fetched', () => {
  expect(() => requireRoom(project, 1)).not.toThrow();
  expect(() => requireRoom(project, 2 ** 60)).toThrow(
    /^Fetching libtorch needs 1048576\.00 TiB of free space in .*project, and there are [\d.]+ .iB: make room/,
  );
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  'a fetch that is stopped by %s leaves what was there before, and nothing else',
  async (signal) => {
    machine.libtorch('project/.libtorch/torch', '1.13.1');
    pip('sleep 5');
    const child = fetchElsewhere();
    await until(() => existsSync(join(machine.folder, 'runs')));
    child.kill(signal);
    expect(await exitOf(child)).toBe(signal === 'SIGINT' ? 130 : 143);
    expect(readdirSync(project).sort()).toEqual(['.libtorch', 'package.json']);
    expect(libtorchVersion(join(project, '.libtorch/torch'))).toBe('1.13.1');
  },
);

test("pip's cache is used where it lies on another disk, or there is room for it as well", () => {
  const fits = (cache: string, bytes: number): boolean => {
    machine.tool('python3', cache ? `echo ${cache}` : 'exit 1');
    return cacheFits('python3', project, bytes);
  };
  expect(fits(join(project, 'not/there/yet'), 1)).toBe(true);
  expect(fits(join(project, 'not/there/yet'), 2 ** 60)).toBe(false);
  expect(fits('/dev/pip', 2 ** 60)).toBe(true);
  expect(fits('', 2 ** 60)).toBe(true);
});

test('two fetches at once make one', async () => {
  pip('sleep 1');
  const exits = [fetchElsewhere(), fetchElsewhere()].map(exitOf);
  expect(await Promise.all(exits)).toEqual([0, 0]);
  expect(runs()).toBe(1);
  expect(readdirSync(project).sort()).toEqual(['.libtorch', 'package.json']);
});

/** A pip that gives a torch with or without CUDA, and then what that requires. */
function pipOfCuda(library: string): void {
  const required = [
    'filelock',
    'cuda-toolkit[cublas,cudart]==13.0.3; platform_system == "Linux"',
    'cuda-bindings<14,>=13.0.3; platform_system == "Linux"',
    'nvidia-cudnn-cu13==9.24.0.43; platform_system == "Linux"',
    'triton~=3.8.0; platform_system == "Linux"',
  ];
  machine.file('METADATA', required.map((line) => `Requires-Dist: ${line}\n`).join(''));
  machine.tool(
    'python3',
    `
      test "$1" = -m || exit 0
      test "$3" = install || exit 0
      for last; do echo "$last" >> ${machine.folder}/args; done
      while [ "$1" != --target ]; do shift; done
      test "$last" = torch==2.14.1 || exit \${FAIL:-0}
      mkdir -p $2/torch/include/ATen $2/torch/lib $2/torch-2.14.1.dist-info
      touch $2/torch/lib/libtorch_cpu.so $2/torch/lib/${library}
      echo "__version__ = '2.14.1+cu130'" > $2/torch/version.py
      cp ${machine.folder}/METADATA $2/torch-2.14.1.dist-info/METADATA
    `,
  );
}

test('fetches the build with CUDA and the libraries that it requires, in place of one for the CPU', async () => {
  machine.libtorch('project/.libtorch/torch');
  pipOfCuda('libtorch_cuda.so');
  const found = await fetchLibtorch(project, { cuda: true, ...quiet });
  expect(found).toMatchObject({ version: '2.14.1+cu130', cuda: true });
  expect(readFileSync(join(machine.folder, 'args'), 'utf8').split('\n').slice(-3)).toEqual([
    'cuda-toolkit[cublas,cudart]==13.0.3; platform_system == "Linux"',
    'nvidia-cudnn-cu13==9.24.0.43; platform_system == "Linux"',
    '',
  ]);
  expect(nvidiaRequirements(join(project, '.libtorch'))).toHaveLength(2);
  rmSync(join(machine.folder, 'args'));
  await fetchLibtorch(project, { cuda: true, log: fail });
  expect(existsSync(join(machine.folder, 'args'))).toBe(false);
});

test('keeps what was there when a build without CUDA comes, or a library is missing', async () => {
  machine.libtorch('project/.libtorch/torch');
  pipOfCuda('libtorch.so');
  await expect(fetchLibtorch(project, { cuda: true, ...quiet })).rejects.toThrow(
    /\(2\.14\.1\+cu130 came, which has no CUDA\)/,
  );
  pipOfCuda('libtorch_cuda.so');
  process.env.FAIL = '1';
  await expect(fetchLibtorch(project, { cuda: true, ...quiet })).rejects.toThrow(
    /\(pip ended with status 1\)/,
  );
  delete process.env.FAIL;
  expect((await fetchLibtorch(project, { log: fail })).version).toBe('2.13.0+cpu');
});

function fail(line: string): never {
  throw new Error(line);
}
