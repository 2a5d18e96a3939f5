import { native } from '../internal/binding';
import { CudaUnavailableError } from '../internal/errors';
import { parseBuildConfig } from '../internal/build-config';
import type { GpuProperties } from '../internal/native';
import { deviceCount, indexOf, type CudaDevice } from './device';

export type { GpuProperties } from '../internal/native';

/** Returns what the driver says of a GPU: its name, compute capability, memory and so on. */
export function getDeviceProperties(device?: CudaDevice): GpuProperties {
  const index = indexOf('cuda.getDeviceProperties', device);
  const found = native.cudaDriver().gpus[index];
  if (found && index < deviceCount()) return { ...found };
  throw new CudaUnavailableError(
    `cuda.getDeviceProperties: expected one of ${deviceCount()} GPUs, got ${index}`,
  );
}

/**
 * Returns the architectures that the libtorch at hand has code for, such as `sm_90`; none without CUDA, and none from a
 * libtorch that tells them only where there is a GPU, as 2.11 does.
 */
export function getArchList(): string[] {
  return [...parseBuildConfig(native.buildConfig()).architectures];
}

/** Returns the version of CUDA that libtorch was built with, such as `13.0`; undefined without CUDA. */
export function runtimeVersion(): string | undefined {
  return parseBuildConfig(native.buildConfig()).cuda;
}
