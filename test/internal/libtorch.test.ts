import { join } from 'node:path';
import {
  describePlaces,
  findLibtorch,
  inspectLibtorch,
  libtorchVersion,
} from '../../lib/internal/libtorch';
import { Machine } from '../support/machine';

let machine: Machine;
beforeEach(() => (machine = new Machine()));
afterEach(() => machine.remove());

function find(
  env: NodeJS.ProcessEnv = {},
  more: { known?: string; systemFolders?: string[]; cuda?: boolean } = {},
) {
  const options = { env: { PATH: process.env.PATH, ...env }, systemFolders: [], ...more };
  return findLibtorch(machine.folder, options);
}

function pythonWith(torch: string): void {
  machine.tool('python3', `echo '${torch}'`);
}

describe('findLibtorch', () => {
  test('takes FASTOPT_LIBTORCH before all else', () => {
    const asked = machine.libtorch('asked');
    const env = { FASTOPT_LIBTORCH: asked, LIBTORCH: machine.libtorch('other') };
    machine.libtorch('.libtorch/torch');
    expect(find(env).found).toEqual({
      path: asked,
      version: '2.13.0+cpu',
      cuda: false,
      cxx11Abi: 1,
    });
  });

  test('never replaces a FASTOPT_LIBTORCH that has no libtorch', () => {
    machine.libtorch('.libtorch/torch');
    const { found, places } = find({ FASTOPT_LIBTORCH: join(machine.folder, 'nowhere') });
    expect(found).toBeUndefined();
    expect(places).toEqual([
      { name: 'FASTOPT_LIBTORCH', verdict: `no folder ${join(machine.folder, 'nowhere')}` },
    ]);
  });

  test('takes LIBTORCH before the .libtorch of the project', () => {
    machine.libtorch('.libtorch/torch');
    const path = machine.libtorch('other');
    expect(find({ LIBTORCH: path }).found?.path).toBe(path);
  });

  test('passes over a LIBTORCH of a version that is not supported, and says so', () => {
    const old = machine.libtorch('old', '1.13.1');
    const near = machine.libtorch('.libtorch/torch');
    const { found, places } = find({ LIBTORCH: old });
    expect(found?.path).toBe(near);
    expect(places[1]?.verdict).toBe(`1.13.1 in ${old}, where 2.11 to 2.14 is needed`);
  });

  test('takes the .libtorch of the project before the torch of Python', () => {
    pythonWith(machine.libtorch('python/torch'));
    const near = machine.libtorch('.libtorch/torch');
    expect(find().found?.path).toBe(near);
  });

  test('takes the torch of Python before the folders of the system', () => {
    const path = machine.libtorch('python/torch');
    pythonWith(path);
    expect(find({}, { systemFolders: [machine.libtorch('system')] }).found?.path).toBe(path);
  });

  test('takes the folders of the system last', () => {
    pythonWith('');
    const path = machine.libtorch('system');
    expect(find({}, { systemFolders: [join(machine.folder, 'none'), path] }).found?.path).toBe(
      path,
    );
  });

  test('takes the one used before instead of asking Python', () => {
    pythonWith(machine.libtorch('python/torch'));
    const known = machine.libtorch('before');
    expect(find({}, { known }).found?.path).toBe(known);
  });

  test('asks Python when the one used before is gone', () => {
    const path = machine.libtorch('python/torch');
    pythonWith(path);
    expect(find({}, { known: join(machine.folder, 'gone') }).found?.path).toBe(path);
  });

  test('passes over those without CUDA where that is asked for', () => {
    const near = machine.libtorch('.libtorch/torch');
    pythonWith(machine.libtorch('python/torch', '2.14.1+cu130'));
    machine.file('python/torch/lib/libtorch_cuda.so', '');
    const { found, places } = find({}, { cuda: true, known: near });
    expect(found?.version).toBe('2.14.1+cu130');
    expect(places[2]?.verdict).toBe(`2.13.0+cpu in ${near}, which has no CUDA`);
  });

  test('lists every place where it looked in vain', () => {
    const { found, places } = find({}, { systemFolders: ['/nowhere/libtorch'] });
    expect(found).toBeUndefined();
    expect(describePlaces(places)).toBe(
      [
        '  FASTOPT_LIBTORCH: not set',
        '  LIBTORCH: not set',
        `  .libtorch: no folder ${join(machine.folder, '.libtorch')}`,
        '  python3: no Python with torch on the PATH',
        '  system: no folder /nowhere/libtorch',
      ].join('\n'),
    );
  });
});

describe('inspectLibtorch', () => {
  test.each(['2.11.0', '2.12.1+cu130', '2.14.1'])('takes %s', (version) => {
    expect(inspectLibtorch(machine.libtorch('it', version))).toHaveProperty('version', version);
  });

  test.each(['1.13.1', '2.10.0', '2.15.0', '3.11.0'])('refuses %s', (version) => {
    expect(inspectLibtorch(machine.libtorch('it', version))).toMatch(
      /where 2\.11 to 2\.14 is needed/,
    );
  });

  test('refuses a folder that holds something else', () => {
    expect(inspectLibtorch(machine.folder)).toMatch(/^no include\/ATen and lib\/libtorch_cpu in/);
  });

  test('finds CUDA and the old ABI where the libtorch has them', () => {
    const path = machine.libtorch('it');
    machine.file('it/lib/libtorch_cuda.so', '');
    machine.file('it/share/cmake/Torch/TorchConfig.cmake', 'set(X "-D_GLIBCXX_USE_CXX11_ABI=0")');
    expect(inspectLibtorch(path)).toMatchObject({ cuda: true, cxx11Abi: 0 });
  });
});

describe('libtorchVersion', () => {
  test('reads the build-version of a libtorch archive', () => {
    machine.file('it/build-version', '2.12.0+cu130\n');
    expect(libtorchVersion(join(machine.folder, 'it'))).toBe('2.12.0+cu130');
  });

  test('reads the header of an installed libtorch', () => {
    machine.file('it/include/torch/headeronly/version.h', '#define TORCH_VERSION \\\n  "2.13.0"\n');
    expect(libtorchVersion(join(machine.folder, 'it'))).toBe('2.13.0');
  });

  test('is undefined where nothing tells it', () => {
    expect(libtorchVersion(machine.folder)).toBeUndefined();
  });
});
