import type { Command } from 'commander';
import { packageRoot } from '../internal/root';
import { diagnose } from '../setup/diagnose';

/** Adds `fastopt doctor`, which says what was built, what was found, and what is wrong. */
export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description(
      'say what was built and found, and what is wrong; exits 1 when the addon does not load',
    )
    .action(() => {
      const { lines, problem } = diagnose(packageRoot());
      console.log(lines.join('\n'));
      console.log(
        problem === undefined ? 'All is well' : `Problem: ${problem}. Run "npx fastopt setup"`,
      );
      process.exitCode = problem === undefined ? 0 : 1;
    });
}
