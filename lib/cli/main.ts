#!/usr/bin/env node
import { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TorchError } from '../internal/errors';
import { packageRoot } from '../internal/root';
import { addDoctor } from './doctor';
import { addSetup } from './setup';

const USAGE_ERROR = 2;

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'));
  return typeof manifest === 'object' && manifest && 'version' in manifest
    ? String(manifest.version)
    : '';
}

async function createProgram(command: string | undefined): Promise<Command> {
  const program = new Command('fastopt')
    .description('Train neural networks from TypeScript, on libtorch')
    .version(version())
    .showHelpAfterError('(--help lists what it takes)')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : USAGE_ERROR));
  addSetup(program);
  addDoctor(program);
  if (command === 'train') {
    // Imported only here: the rest must work where there is no libtorch.
    const { addTrain } = await import('./train.js');
    addTrain(program);
  } else {
    program.command('train').description('train a network and print how it goes');
  }
  return program;
}

async function main(argv: readonly string[]): Promise<void> {
  try {
    const program = await createProgram(argv[0]);
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    console.error(error instanceof TorchError ? error.message : error);
    process.exitCode = 1;
  }
}

void main(process.argv.slice(2));
