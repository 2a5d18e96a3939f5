// The unit tests where there is no swc: pack.mjs has compiled them.
const unit = require('../../jest.config.cjs');

/** @type {import('jest').Config} */
module.exports = {
  ...unit,
  rootDir: '../..',
  transform: { '\\.ts$': '<rootDir>/scripts/gpu/compiled.cjs' },
};
