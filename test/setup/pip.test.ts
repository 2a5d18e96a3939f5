import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { inspectLibtorch } from '../../lib/internal/libtorch';
import { packageRoot } from '../../lib/internal/root';
import { outputOf } from '../../lib/setup/run';
import { Machine } from '../support/machine';

// The real pip, and an index on this machine whose wheels look like a libtorch with CUDA.
const python = outputOf('python3', ['-c', 'import pip, sys; print(sys.executable)'])?.trim();
const withPip = python === undefined ? test.skip : test;

const WHEEL = 'torch-2.14.1+cu130-py3-none-any.whl';
const WRITE_WHEEL = `
import sys, zipfile
info = 'torch-2.14.1+cu130.dist-info'
files = {
    'torch/include/ATen/ATen.h': '', 'torch/lib/libtorch_cuda.so': '', 'torch/lib/libtorch_cpu.so': 'x' * 10**6,
    'torch/version.py': "__version__ = '2.14.1+cu130'",
    info + '/METADATA': 'Metadata-Version: 2.1\\nName: torch\\nVersion: 2.14.1+cu130\\n',
    info + '/WHEEL': 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n',
}
files[info + '/RECORD'] = ''.join(f'{name},,\\n' for name in [*files, info + '/RECORD'])
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)
`;

let machine: Machine;
let project: string;
let server: Server;
/** How the server answers when it is asked for the wheel. */
let answer: (response: ServerResponse, wheel: Buffer) => void;

beforeEach(async () => {
  machine = new Machine();
  machine.file('project/package.json', '{}');
  project = join(machine.folder, 'project');
  machine.libtorch('project/.libtorch/torch');
  if (python === undefined) return;
  machine.tool('python3', `exec ${python} "$@"`);
  const path = machine.file(WHEEL, '');
  execFileSync(python, ['-c', WRITE_WHEEL, path]);
  const wheel = readFileSync(path);
  const hash = outputOf('python3', [
    '-c',
    'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())',
    path,
  ]);
  server = createServer(({ url = '' }, response) => {
    if (url !== '/') return void answer(response, wheel);
    response.setHeader('content-type', 'text/html');
    response.end(`<a href="${encodeURIComponent(WHEEL)}#sha256=${hash?.trim()}">${WHEEL}</a>`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  server.close();
  machine.remove();
});

/** Fetches in a process of its own, as pip writes to the terminal. */
function fetchWithCuda(): Promise<{ status: number | null; text: string }> {
  const script = join(packageRoot(), 'build/tools/lib/setup/fetch.js');
  const options = '{ cuda: true, log: () => {} }';
  const code = `require(${JSON.stringify(script)}).fetchLibtorch(${JSON.stringify(project)}, ${options})
    .catch(({ code, message }) => { console.log(code, message); process.exitCode = 1; })`;
  const { port } = server.address() as AddressInfo;
  const env = {
    ...process.env,
    PIP_CONFIG_FILE: devNull,
    PIP_NO_INDEX: '1',
    PIP_FIND_LINKS: `http://127.0.0.1:${port}/`,
    PIP_TRUSTED_HOST: '127.0.0.1',
    PIP_CACHE_DIR: join(machine.folder, 'cache'),
  };
  const child = spawn(process.execPath, ['-e', code], { env });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, text })));
}

function whole(response: ServerResponse, wheel: Buffer): void {
  response.setHeader('cache-control', 'max-age=86400');
  response.setHeader('content-length', wheel.length);
  response.end(wheel);
}

function brokenOff(response: ServerResponse, wheel: Buffer): void {
  response.setHeader('content-length', wheel.length);
  response.write(wheel.subarray(0, 2e5), () => response.destroy());
}

function changed(response: ServerResponse, wheel: Buffer): void {
  const other = Buffer.from(wheel);
  other.fill(0, 100, 200);
  whole(response, other);
}

withPip(
  'a download that breaks off leaves what was there; the next one puts it right',
  async () => {
    answer = brokenOff;
    const { status, text } = await fetchWithCuda();
    expect(text).toMatch(/^ERR_TORCH_SETUP libtorch could not be fetched \(pip ended with status/m);
    expect(status).toBe(1);
    expect(readdirSync(project).sort()).toEqual(['.libtorch', 'package.json']);
    expect(inspectLibtorch(join(project, '.libtorch'))).toMatchObject({ version: '2.13.0+cpu' });

    answer = whole;
    expect(await fetchWithCuda()).toMatchObject({ status: 0 });
    expect(readdirSync(project).sort()).toEqual(['.libtorch', 'package.json']);
    expect(inspectLibtorch(join(project, '.libtorch'))).toMatchObject({
      version: '2.14.1+cu130',
      cuda: true,
    });
  },
);

withPip(
  "a wheel of another hash stays in pip's cache until that is purged, as is said",
  async () => {
    answer = changed;
    const { status, text } = await fetchWithCuda();
    expect(text).toMatch(/does not match its hash: run "python3 -m pip cache purge" first$/m);
    expect(status).toBe(1);
    expect(inspectLibtorch(join(project, '.libtorch'))).toMatchObject({ version: '2.13.0+cpu' });

    answer = whole;
    expect(await fetchWithCuda()).toMatchObject({ status: 1 });
    const env = { ...process.env, PIP_CACHE_DIR: join(machine.folder, 'cache') };
    execFileSync('python3', ['-m', 'pip', 'cache', 'purge'], { env, stdio: 'ignore' });
    expect(await fetchWithCuda()).toMatchObject({ status: 0 });
  },
);
