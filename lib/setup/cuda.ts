import { parseBuildConfig, runsOn } from '../internal/build-config';
import { formatBytes } from '../internal/bytes';
import type { GpuProperties, NativeDriver } from '../internal/native';
import { outputOf } from './run';

/** What an addon that was loaded knows of CUDA. */
export interface CudaFacts {
  /** The text of libtorch's `show_config`. */
  readonly config: string;
  readonly driver: NativeDriver;
  /** How many GPUs libtorch can use. */
  readonly usable: number;
}

/** Writes CUDA's 13000 as `13.0`. */
function versionText(version: number): string {
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
}

function describeGpu(gpu: GpuProperties, index: number, architectures: readonly string[]): string {
  const { name, major, minor, totalMemory } = gpu;
  const fits = architectures.length === 0 || runsOn(architectures, gpu);
  const warning = fits ? '' : '; this libtorch has no code for it';
  return `  GPU ${index}: ${name} (sm_${major}${minor}, ${formatBytes(totalMemory)})${warning}`;
}

function describeDriver({ cudaVersion }: NativeDriver): string {
  if (cudaVersion === 0) return '  driver: not found';
  const query = ['--query-gpu=driver_version', '--format=csv,noheader'];
  const release = outputOf('nvidia-smi', query)?.split('\n')[0]?.trim();
  return `  driver: ${release ? `${release}, ` : ''}serves CUDA up to ${versionText(cudaVersion)}`;
}

// Within a major version of CUDA an older driver will do.
function whyUnusable(runtime: string, { cudaVersion, gpus }: NativeDriver): string {
  if (cudaVersion === 0) return 'a driver is missing';
  if (Math.floor(cudaVersion / 1000) < Number(runtime.split('.')[0]))
    return `the driver is too old: CUDA ${runtime} is needed`;
  return gpus.length === 0 ? 'the driver sees no GPU' : 'CUDA could not be started';
}

/** Says what of CUDA was built, what is on this machine, and why they don't meet; lines of a report. */
export function describeCuda({ config, driver, usable }: CudaFacts): string[] {
  const { cuda, cudnn, architectures } = parseBuildConfig(config);
  const gpus = driver.gpus.map((gpu, index) => describeGpu(gpu, index, architectures));
  const machine = [describeDriver(driver), ...gpus];
  if (cuda === undefined) {
    const none = 'CUDA: this libtorch has none; "npx fastopt setup --cuda" gets one that has';
    return driver.cudaVersion === 0 ? [none] : [none, ...machine];
  }
  const verdict =
    usable > 0
      ? `  usable: ${usable === 1 ? '1 GPU' : `${usable} GPUs`}`
      : `  usable: none, since ${whyUnusable(cuda, driver)}`;
  return [
    `CUDA: runtime ${cuda}, cuDNN ${cudnn ?? 'none'}, code for ${architectures.join(' ') || 'unknown GPUs'}`,
    ...machine,
    verdict,
  ];
}
