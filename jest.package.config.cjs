// The packed tarball, installed elsewhere: minutes, so apart from the unit tests.
const unit = require('./jest.config.cjs');

/** @type {import('jest').Config} */
module.exports = {
  ...unit,
  testMatch: ['<rootDir>/test/package/**/*.test.ts'],
  testPathIgnorePatterns: [],
  setupFilesAfterEnv: [],
  testTimeout: 20 * 60_000,
};
