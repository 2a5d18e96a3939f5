import type { Device } from '@fastopt/torch';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { TrainSettings } from './training';

const archs = ['xresnet18', 'xresnet34', 'xresnet50', 'xresnet101', 'xresnet152'];
const interrupted = 130;
const usageError = 2;

function wholeFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least} up.`);
  };
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && value < Infinity) return value;
  throw new InvalidArgumentError('Expected a number above 0.');
}

function shareBelowOne(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value < 1) return value;
  throw new InvalidArgumentError('Expected a number from 0 up to but without 1.');
}

function isDevice(text: string): text is Device | 'auto' {
  return /^(auto|cpu|cuda(:\d+)?)$/.test(text);
}

function device(text: string): Device | 'auto' {
  if (isDevice(text)) return text;
  throw new InvalidArgumentError('Expected auto, cpu, cuda or cuda:N.');
}

/** Adds `fastopt train`, which trains an xresnet by one cycle and prints how it goes. */
export function addTrain(program: Command): void {
  program
    .command('train')
    .description('train a network on small images, and print how well it knows others')
    .addOption(new Option('--arch <name>', 'the network').choices(archs).default('xresnet34'))
    .addOption(
      new Option('--opt <name>', 'the optimizer')
        .choices(['nadam', 'adam', 'sgd'])
        .default('nadam'),
    )
    .option('--epochs <n>', 'how often it sees each image', wholeFrom(1), 1)
    .option('--lr <rate>', 'the highest learning rate of the cycle', positive, 3e-3)
    .option('--wd <factor>', "the weight decay; the optimizer's own without it", positive)
    .option('--bs <n>', 'images in a batch', wholeFrom(2), 64)
    .addOption(
      new Option('--data <name>', 'the images').choices(['mnist', 'cifar10']).default('mnist'),
    )
    .option('--limit <n>', 'images to train on', wholeFrom(1), 10_000)
    .option('--valid-limit <n>', 'other images to measure on', wholeFrom(1), 2000)
    .option('--size <n>', 'resizes images to n x n pixels', wholeFrom(8))
    .option('--augment', 'crops images at random and mirrors colour ones', false)
    .option('--label-smoothing <share>', 'how much of a target all classes get', shareBelowOne, 0)
    .option('--seed <n>', 'the same seed gives the same losses', wholeFrom(0), 42)
    .option('--device <name>', 'cpu, cuda, cuda:N, or auto: a GPU if there is one', device, 'auto')
    .addOption(
      new Option('--precision <name>', 'what the network computes in')
        .choices(['fp32', 'bf16', 'fp16'])
        .default('fp32'),
    )
    .option('--channels-last', 'lay out images channels last, which is often faster', false)
    .option('--json', 'print a JSON object a line: start, each epoch, end', false)
    .action(async (settings: TrainSettings, command: Command) => {
      // Imported only here: the rest must work where there is no libtorch.
      const { prepare, SettingsError, train } = await import('./training.js');
      const learn = await prepare(settings).catch((error: unknown) => {
        if (error instanceof SettingsError)
          command.error(`error: ${error.message}`, { exitCode: usageError });
        throw error;
      });
      const controller = new AbortController();
      // The second Ctrl-C finds no listener, and kills.
      process.once('SIGINT', () => controller.abort());
      const done = await train(learn, settings, controller.signal);
      if (!done) process.exitCode = interrupted;
    });
}
