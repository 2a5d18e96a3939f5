export {
  currentDevice,
  deviceCount,
  isAvailable,
  isBuilt,
  setDevice,
  synchronize,
  type CudaDevice,
} from './device';
export { currentStream, defaultStream, Event, Stream, type StreamOptions } from './stream';
