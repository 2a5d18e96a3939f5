export {
  DataLoader,
  type BatchTransform,
  type DataLoaderOptions,
  type TensorPair,
} from './data-loader';
export type { Batch, DataLoaders, Loader } from './types';
export type { DatasetOptions, ImageDataset, LabelledImages } from './dataset';
export { mnist } from './mnist';
export { cifar10 } from './cifar10';
export { normalizeImages } from './normalize';
