import {
  accuracy,
  Adam,
  ArgumentError,
  cifar10,
  DataLoader,
  Learner,
  manualSeed,
  mnist,
  models,
  Nadam,
  nn,
  normalizeImages,
  SGD,
  TorchError,
  zeros,
  type Device,
  type ImageDataset,
} from '@fastopt/torch';
import { jsonReport, textReport, type Report } from './report';

/** What `fastopt train` was asked for. */
export interface TrainSettings {
  readonly arch: 'xresnet18' | 'xresnet34' | 'xresnet50' | 'xresnet101' | 'xresnet152';
  readonly opt: keyof typeof optimizers;
  readonly epochs: number;
  readonly lr: number;
  readonly bs: number;
  readonly data: keyof typeof datasets;
  readonly limit: number;
  readonly validLimit: number;
  readonly seed: number;
  readonly device: Device;
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

function checkDevice(device: Device): void {
  try {
    zeros(1, { device }).dispose();
  } catch (cause) {
    if (!(cause instanceof TorchError)) throw cause;
    const hint =
      device === 'cpu'
        ? ''
        : '; the libtorch in use may be one for the CPU: "npx fastopt doctor" tells';
    throw new SettingsError(`--device ${device} is not available here${hint}`, { cause });
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

/**
 * Reads the images and makes the network; nothing is random but by the seed.
 *
 * @throws SettingsError when the device or the images aren't here, or a batch is larger than the images.
 */
export async function prepare(settings: TrainSettings): Promise<Learner> {
  const { arch, opt, bs, seed, device, json, limit } = settings;
  checkDevice(device);
  if (bs > limit) throw new SettingsError(`--bs ${bs} is more than the ${limit} images of --limit`);
  const { train, valid, classes, mean, std } = await readImages(settings);
  manualSeed(seed);
  const transform = normalizeImages(mean, std);
  const dls = {
    // Batch norm can't train on a last batch of one image.
    train: new DataLoader([train.x, train.y], {
      bs,
      shuffle: true,
      dropLast: true,
      seed,
      transform,
    }),
    valid: new DataLoader([valid.x, valid.y], { bs, transform }),
  };
  const model = models[arch]({ cIn: mean.length, nOut: classes.length }).to(device);
  return new Learner(dls, model, {
    lossFunc: nn.crossEntropy,
    optFunc: optimizers[opt],
    metrics: accuracy,
    progress: !json,
  });
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
