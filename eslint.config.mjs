import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** What each folder of lib/ may import, besides itself. */
const layers = {
  internal: [],
  setup: ['internal'],
  tensor: ['internal'],
  ops: ['internal', 'tensor'],
  cuda: ['internal', 'tensor'],
  optim: ['internal', 'tensor', 'ops'],
  data: ['internal', 'tensor', 'ops', 'cuda'],
  checkpoint: ['internal', 'tensor', 'ops'],
  nn: ['internal', 'tensor', 'ops'],
  models: ['internal', 'tensor', 'ops', 'nn'],
  learner: ['internal', 'tensor', 'ops', 'cuda', 'nn', 'optim', 'data', 'checkpoint'],
  cli: ['internal', 'setup'],
};

const zones = Object.entries(layers).map(([layer, below]) => ({
  target: `./lib/${layer}`,
  from: './lib',
  except: [layer, ...below].map((name) => `./${name}`),
  message: `lib/${layer} imports only ${[...below, 'itself'].join(', ')}.`,
}));

const onlyPublicName = ['examples', 'bench'].map((folder) => ({
  target: `./${folder}`,
  from: './lib',
  message: `${folder} imports only '@fastopt/torch'.`,
}));

export default tseslint.config(
  { ignores: ['build/', 'dist/', 'coverage/', 'lib/ops/generated/', '.libtorch*/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true } },
    settings: {
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/resolver-next': [
        createNodeResolver({
          extensions: ['.ts', '.js'],
          extensionAlias: { '.js': ['.ts', '.js'] },
        }),
      ],
    },
    rules: {
      'import-x/no-cycle': 'error',
      'import-x/no-default-export': 'error',
      'import-x/no-restricted-paths': ['error', { zones: [...zones, ...onlyPublicName] }],
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidOperator: true },
      ],
      // A callback may return a patch, or nothing at all.
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
    },
  },
  {
    // What touches the addon tells the compiler what C++ returns.
    files: ['lib/internal/**'],
    rules: {
      '@typescript-eslint/consistent-type-assertions': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
    },
  },
  {
    // A list.
    files: ['scripts/generate-ops/operators.ts'],
    rules: { 'max-lines': 'off' },
  },
  {
    // The only place that loads the addon.
    files: ['lib/internal/load.ts'],
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
  {
    files: ['test/**'],
    rules: {
      '@typescript-eslint/consistent-type-assertions': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      // A test may look at what came back before it knows what that is.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-base-to-string': 'off',
    },
  },
);
