export {
  currentDevice,
  deviceCount,
  isAvailable,
  isBuilt,
  setDevice,
  synchronize,
  type CudaDevice,
} from './device';
export { emptyCache, memoryStats, resetPeakMemoryStats, type MemoryStats } from './memory';
export { getArchList, getDeviceProperties, runtimeVersion, type GpuProperties } from './properties';
export { Graph, graphsAreBuilt } from './graph';
export { currentStream, defaultStream, Event, Stream, type StreamOptions } from './stream';
