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
export { prefetch, type PrefetchOptions } from './prefetch';
export { normalizeImages } from './normalize';
export { randomCrop, randomFlip, type RandomCropOptions, type RandomFlipOptions } from './augment';
