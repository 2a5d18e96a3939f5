import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { packageRoot } from '../lib/internal/root';
import { run } from '../lib/setup/run';

/** That of the libtorchs with CUDA that we support; 60 MB. */
const NVRTC = 'nvidia-cuda-nvrtc==13.0.88';
const ARCHITECTURES = ['80', '90'];

/** Returns the folder of NVRTC, which compiles without a GPU. It is fetched with pip where it is missing. */
async function nvrtcFolder(cache: string): Promise<string> {
  if (!existsSync(cache)) {
    const part = `${cache}.part`;
    rmSync(part, { recursive: true, force: true });
    const patience = ['--retries', '1', '--timeout', '30'];
    const args = ['-m', 'pip', 'install', '--no-deps', ...patience, '--target', part, NVRTC];
    const status = await run('python3', args);
    if (status !== 0) throw new Error(`${NVRTC} could not be fetched: pip ended with ${status}`);
    renameSync(part, cache);
  }
  const files = readdirSync(cache, { recursive: true, encoding: 'utf8' });
  const library = files.find((name) => /libnvrtc\.so\.\d+$/.test(name));
  if (library === undefined) throw new Error(`there is no libnvrtc.so in ${cache}: remove it`);
  return join(cache, dirname(library));
}

/** Compiles the CUDA kernels of every list of callbacks in native/test/cuda for GPUs that need not be there. */
async function main(): Promise<void> {
  if (process.platform !== 'linux') {
    console.log('The CUDA kernels are compiled on Linux alone');
    return;
  }
  const root = packageRoot();
  const folder = await nvrtcFolder(join(root, '.cache/nvrtc'));
  const program = join(root, 'build/cmake/compile_kernels');
  process.exitCode = await run(program, [folder, ...ARCHITECTURES]);
}

void main();
