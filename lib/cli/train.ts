import type { Command } from 'commander';

/** Adds `fastopt train`. */
export function addTrain(program: Command): void {
  program.command('train').description('train a network and print how it goes');
}
