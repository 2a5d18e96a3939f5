// What stands for a compiler in jest.config.cjs: finds what pack.mjs has compiled.
const { readFileSync } = require('node:fs');
const { join, relative } = require('node:path');

const root = join(__dirname, '../..');

module.exports = {
  process: (_source, path) => ({
    code: readFileSync(join(root, 'build/compiled', `${relative(root, path)}.js`), 'utf8'),
  }),
};
