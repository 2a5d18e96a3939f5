#!/usr/bin/env node
import { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TorchError } from '../internal/errors';
import { packageRoot } from '../internal/root';
import { addDoctor } from './doctor';
import { addSetup } from './setup';
import { addTrain } from './train';

const USAGE_ERROR = 2;

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'));
  return typeof manifest === 'object' && manifest && 'version' in manifest
    ? String(manifest.version)
    : '';
}

function createProgram(): Command {
  const program = new Command('fastopt')
    .description('Train neural networks from TypeScript, on libtorch')
    .version(version())
    .showHelpAfterError('(--help lists what it takes)')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : USAGE_ERROR));
  addSetup(program);
  addDoctor(program);
  addTrain(program);
  return program;
}

async function main(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(argv, { from: 'user' });
  } catch (error) {
    console.error(error instanceof TorchError ? error.message : error);
    process.exitCode = 1;
  }
}

// A reader such as "head" has read enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

void main(process.argv.slice(2));
