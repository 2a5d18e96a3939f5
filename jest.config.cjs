// Two workers with two threads each would wait for one another on two cores.
process.env.OMP_NUM_THREADS ??= '1';

// Two workers with one thread each: more threads than cores spend their time waiting for each other.
process.env.OMP_NUM_THREADS ??= '1';

/** @type {import('jest').Config} */
module.exports = {
  maxWorkers: 2,
  testEnvironment: 'node',
  testTimeout: 60_000,
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/package/'],
  modulePathIgnorePatterns: ['<rootDir>/build/', '<rootDir>/dist/', '<rootDir>/.libtorch'],
  moduleNameMapper: { '^@fastopt/torch$': '<rootDir>/lib/index.ts' },
  setupFilesAfterEnv: ['<rootDir>/test/support/setup.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022', keepClassNames: true },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
};
