import {
  accuracy,
  Adam,
  ArgumentError,
  cifar10,
  cuda,
  TorchError,
  DataLoader,
  Learner,
  manualSeed,
  mnist,
  models,
  Nadam,
  nn,
  normalizeImages,
  randomCrop,
  randomFlip,
  SGD,
  zeros,
  type BatchTransform,
  type Device,
  type ImageDataset,
  type LabelledImages,
  type Tensor,
  type TensorPair,
} from '@fastopt/torch';
import { jsonReport, textReport, type Report } from './report';

/** What `fastopt train` was asked for. */
export interface TrainSettings {
  readonly arch: 'xresnet18' | 'xresnet34' | 'xresnet50' | 'xresnet101' | 'xresnet152';
  readonly opt: keyof typeof optimizers;
  readonly epochs: number;
  readonly lr: number;
  readonly wd?: number;
  readonly bs: number;
  readonly data: keyof typeof datasets;
  readonly limit: number;
  readonly validLimit: number;
  readonly size?: number;
  readonly augment: boolean;
  readonly labelSmoothing: number;
  readonly seed: number;
  readonly device: Device | 'auto';
  readonly precision: 'fp32' | 'bf16' | 'fp16';
  readonly channelsLast: boolean;
  readonly json: boolean;
}

/** The settings ask for what isn't here. */
export class SettingsError extends Error {}

const optimizers = {
  nadam: Nadam,
  adam: Adam,
  sgd: (params: Parameters<typeof SGD>[0], options: Parameters<typeof SGD>[1]) =>
    SGD(params, { mom: 0.9, ...options }),
};

const datasets = { mnist, cifar10 };

// Before the images are read, which takes a while.
function chooseDevice(name: Device | 'auto'): Device {
  const device = name === 'auto' ? (cuda.isAvailable() ? 'cuda' : 'cpu') : name;
  try {
    zeros(1, { device }).dispose();
    return device;
  } catch (cause) {
    if (!(cause instanceof TorchError)) throw cause;
    throw new SettingsError(`--device ${device} is not available here: ${cause.message}`, {
      cause,
    });
  }
}

async function readImages({ data, limit, validLimit }: TrainSettings): Promise<ImageDataset> {
  try {
    return await datasets[data]({ limit, validLimit });
  } catch (cause) {
    if (cause instanceof ArgumentError) throw new SettingsError(cause.message, { cause });
    throw cause;
  }
}

// What is done to batches, in bytes and then as numbers.
function transformsOf({ size, augment }: TrainSettings, { mean, std }: ImageDataset) {
  const resize = size === undefined ? undefined : new nn.Upsample({ size });
  const prepared: BatchTransform[] = [
    normalizeImages(mean, std),
    ...(resize ? [(x: Tensor, y: Tensor): TensorPair => [resize.forward(x), y]] : []),
  ];
  // A mirrored digit is none.
  const flips = mean.length === 3 ? [randomFlip()] : [];
  return { train: augment ? [randomCrop(4), ...flips, ...prepared] : prepared, valid: prepared };
}

/**
 * Reads the images and makes the network; nothing is random but by the seed.
 *
 * @throws SettingsError when the device or the images aren't here, or a batch is larger than the images.
 */
export async function prepare(settings: TrainSettings): Promise<Learner> {
  const { arch, opt, bs, wd, seed, json, limit, channelsLast, labelSmoothing } = settings;
  const device = chooseDevice(settings.device);
  if (bs > limit) throw new SettingsError(`--bs ${bs} is more than the ${limit} images of --limit`);
  const images = await readImages(settings);
  const { train, valid, classes, mean } = images;
  manualSeed(seed);
  const transform = transformsOf(settings, images);
  // The set is small: a GPU has it as a whole.
  const onDevice = ({ x, y }: LabelledImages): TensorPair => [x.to(device), y.to(device)];
  const dls = {
    // Batch norm can't train on a last batch of one image.
    train: new DataLoader(onDevice(train), {
      bs,
      shuffle: true,
      dropLast: true,
      seed,
      transform: transform.train,
    }),
    valid: new DataLoader(onDevice(valid), { bs, transform: transform.valid }),
  };
  const model = models[arch]({ cIn: mean.length, nOut: classes.length });
  const learn = new Learner(dls, model, {
    lossFunc: (scores: Tensor, y: Tensor) => nn.crossEntropy(scores, y, { labelSmoothing }),
    device,
    channelsLast,
    optFunc: optimizers[opt],
    ...(wd === undefined ? {} : { wd }),
    metrics: accuracy,
    progress: !json,
  });
  if (settings.precision === 'bf16') learn.toBf16();
  if (settings.precision === 'fp16') learn.toFp16();
  return learn;
}

/** Trains by one cycle and reports; returns false when the signal stopped it. */
export async function train(
  learn: Learner,
  settings: TrainSettings,
  signal: AbortSignal,
): Promise<boolean> {
  const { epochs, lr } = settings;
  const report: Report = settings.json ? jsonReport : textReport;
  report.start(learn, settings);
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  try {
    await learn.fitOneCycle(epochs, { lrMax: lr, cbs: report.callbacks, signal });
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    report.stopped(learn, seconds());
    return false;
  }
  report.end(learn, seconds());
  return true;
}
