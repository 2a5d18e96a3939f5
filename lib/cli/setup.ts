import type { Command } from 'commander';
import { packageRoot } from '../internal/root';
import { requireLoadable } from '../setup/diagnose';
import { setUp } from '../setup/setup';

/** Adds `fastopt setup`, which finds or fetches a libtorch and builds the addon. */
export function addSetup(program: Command): void {
  program
    .command('setup')
    .description('find a libtorch, or fetch one into .libtorch/, and build the addon against it')
    .option('--cuda', 'take only a libtorch with CUDA; fetches 2.7 GB where there is none', false)
    .option('--force', 'build again also when nothing has changed', false)
    .action(async ({ cuda, force }: { cuda: boolean; force: boolean }) => {
      const { libtorch } = await setUp(packageRoot(), { fetch: true, cuda, force });
      requireLoadable(packageRoot());
      console.log(`Ready: libtorch ${libtorch.version} in ${libtorch.path}`);
    });
}
