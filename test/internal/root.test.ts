import { join, resolve } from 'node:path';
import { packageRoot, projectRoot } from '../../lib/internal/root';

test('packageRoot is the folder of package.json', () => {
  expect(packageRoot()).toBe(resolve(__dirname, '../..'));
  expect(packageRoot(join(packageRoot(), 'lib/internal'))).toBe(packageRoot());
});

test('projectRoot is the checkout itself, or what holds node_modules', () => {
  expect(projectRoot('/home/me/fastopt')).toBe('/home/me/fastopt');
  expect(projectRoot('/home/me/app/node_modules/@fastopt/torch')).toBe('/home/me/app');
  expect(projectRoot('/app/node_modules/.pnpm/x/node_modules/@fastopt/torch')).toBe('/app');
  expect(projectRoot('/node_modules/@fastopt/torch')).toBe('/');
});
