'use strict';
// npm's install script. It never fails the install, and has nothing to do in a checkout, which builds itself.
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const compiled = join(root, 'dist/setup/install.js');

if (existsSync(join(root, 'tsconfig.json')) || !existsSync(compiled)) {
  console.log('A checkout of @fastopt/torch: npm start, npm test and npm run build set it up');
} else {
  void require(compiled).install(root);
}
