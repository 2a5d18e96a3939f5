import { transformSync } from '@swc/core';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import * as torch from '../../lib/index';
import { enterScope } from '../../lib/tensor/scope';

const root = join(__dirname, '../..');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
].filter((name) => name.endsWith('.md'));

interface Snippet {
  page: string;
  line: number;
  code: string;
}

function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(join(root, page), 'utf8');
  return Array.from(text.matchAll(/^```ts\n(.*?)^```$/gms), (match) => ({
    page,
    line: text.slice(0, match.index).split('\n').length,
    code: match[1] ?? '',
  }));
}

const AsyncFunction = (async () => {}).constructor as new (
  ...names: string[]
) => (...values: unknown[]) => Promise<void>;

/** Makes a function of a snippet, in which a printed line with a comment behind it calls `check(printed, comment)`. */
function compile(code: string): (...values: unknown[]) => Promise<void> {
  const checked = code.replace(
    /^(\s*)console\.log\((.*)\); \/\/ (.*)$/gm,
    (_, indent: string, args: string, wanted: string) =>
      `${indent}check([${args}], ${JSON.stringify(wanted)});`,
  );
  const { code: plain } = transformSync(checked, {
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    module: { type: 'es6' },
    filename: 'snippet.ts',
  });
  const body = plain.replace(
    /^import \{([^}]*)\} from ['"]@fastopt\/torch['"];$/gm,
    (_, names: string) => `const {${names.replace(/ as /g, ': ')}} = torch;`,
  );
  return new AsyncFunction('torch', 'check', 'console', body);
}

/** Returns what the compiler says of snippets, as `page:line: error`; they see the package as its users do. */
function typeErrors(snippets: readonly Snippet[]): string[] {
  const folder = join(root, `build/snippets.tmp-${process.pid}`);
  const config = {
    extends: '../../tsconfig.json',
    compilerOptions: { types: ['node'], paths: {} },
    include: ['*.mts'],
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  for (const [i, { code }] of snippets.entries())
    writeFileSync(join(folder, `${i}.mts`), `${code}export {};\n`);
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout } = spawnSync(process.execPath, [tsc, '--project', folder, '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
  });
  rmSync(folder, { recursive: true });
  return stdout
    .trimEnd()
    .split('\n')
    .map((error) =>
      error.replace(/^(\d+)\.mts\((\d+),\d+\)/, (_, i: string, row: string) => {
        const { page, line } = snippets[Number(i)]!;
        return `${page}:${line + Number(row)}`;
      }),
    );
}

const quiet = { log: () => undefined };

test.each(pages.flatMap(snippetsOf))(
  '$page:$line runs and prints what it says',
  async ({ code }) => {
    enterScope(undefined); // snippets may await
    await compile(code)(
      torch,
      (printed: unknown[], wanted: string) => {
        const text = printed
          .map((value) =>
            typeof value === 'string' ? value : inspect(value, { breakLength: Infinity }),
          )
          .join(' ');
        expect(text.replace(/\s+/g, ' ').replace(/\[ /g, '[').replace(/ \]/g, ']')).toBe(wanted);
      },
      quiet,
    );
  },
  60_000,
);

test('all snippets type-check, and one that does not is named', () => {
  const wrong = { page: 'planted', line: 10, code: "\nconst lr: number = '1e-3';\nlr;\n" };
  expect(typeErrors([...pages.flatMap(snippetsOf), wrong])).toEqual([
    "planted:12: error TS2322: Type 'string' is not assignable to type 'number'.",
  ]);
}, 60_000);

test('there are snippets', () => {
  expect(pages.flatMap(snippetsOf).length).toBeGreaterThan(10);
});
