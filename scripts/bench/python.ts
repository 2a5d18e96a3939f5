import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { findLibtorch } from '../../lib/internal/libtorch';
import { packageRoot, projectRoot } from '../../lib/internal/root';
import { SetupError } from '../../lib/setup/error';
import { run } from '../../lib/setup/run';
import { requirePip } from '../../lib/setup/tools';

/** How to run a Python: its command, and its environment. */
export interface Python {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

/** What PyTorch imports; and timm, whose NAdamW is another's of the same formula. */
const PACKAGES = [
  ...['numpy', 'timm'],
  ...['filelock', 'fsspec', 'jinja2', 'markupsafe', 'mpmath', 'networkx', 'setuptools', 'sympy'],
  'typing_extensions',
];

/** Prints the version of torch, or what is missing. */
const TELL = `
from importlib.util import find_spec
missing = [name for name in ("numpy", "timm", "torch") if find_spec(name) is None]
print(f"no {', '.join(missing)}" if missing else f"torch {__import__('torch').__version__}")
`;

const root = packageRoot();

async function install(python: string, folder: string): Promise<void> {
  if (existsSync(folder)) return;
  const aside = `${folder}.tmp-${process.pid}`;
  const where = ['--no-deps', '--only-binary', ':all:', '--target', aside];
  const status = await run(python, ['-m', 'pip', 'install', '--quiet', ...where, ...PACKAGES]);
  if (status !== 0) {
    rmSync(aside, { recursive: true, force: true });
    throw new SetupError(
      `bench: pip could not fetch ${PACKAGES.join(', ')} (status ${status}): see its message above, or set FASTOPT_PYTHON to a Python that has torch, numpy and timm`,
    );
  }
  renameSync(aside, folder);
}

/** A Python to which the libtorch at hand, a wheel of PyTorch, is its torch; the packages are fetched beside it. */
async function makePython(libtorch: string): Promise<Python> {
  const command = requirePip();
  const folder = join(root, 'build/bench-python');
  await install(command, folder);
  const path = [dirname(libtorch), folder].join(delimiter);
  return { command, env: { ...process.env, PYTHONPATH: path } };
}

/**
 * Returns a Python that has numpy, timm, and torch in the version of the libtorch that the addon is built for: the one that
 * `FASTOPT_PYTHON` names, or one made of that libtorch.
 *
 * @throws SetupError when there is none, saying what is missing.
 */
export async function pythonWithTorch(): Promise<Python> {
  const { found } = findLibtorch(projectRoot(root));
  if (!found) throw new SetupError('bench: no libtorch was found: run "npm run build" first');
  const named = process.env.FASTOPT_PYTHON;
  const python = named ? { command: named, env: process.env } : await makePython(found.path);
  const { stdout, stderr, error } = spawnSync(python.command, ['-c', TELL], {
    encoding: 'utf8',
    env: python.env,
  });
  // Where Python fails, its last line says why.
  const got = error
    ? error.message
    : stdout.trim() || stderr.trim().split('\n').at(-1) || 'no answer';
  if (got === `torch ${found.version}`) return python;
  throw new SetupError(
    `bench: expected a Python that has numpy, timm and torch ${found.version}, got ${python.command} with ${got}; set FASTOPT_PYTHON to one that has them`,
  );
}
