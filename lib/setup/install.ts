import { SetupError } from './error';
import { setUp } from './setup';

/**
 * Builds the addon when npm installs the package at `root`, where a libtorch is present. Never fails: an install that breaks
 * because a compiler is missing would take everything else in the project with it.
 */
export async function install(root: string): Promise<void> {
  try {
    await setUp(root, { fetch: false });
    console.log('@fastopt/torch is ready');
  } catch (error) {
    console.log(error instanceof SetupError ? error.message : error);
    console.log('@fastopt/torch is installed but not built yet; "npx fastopt setup" does the rest');
  }
}
