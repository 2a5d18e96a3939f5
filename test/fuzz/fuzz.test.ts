import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

test('hostile values crash nothing, hang nothing, and get errors of the package', () => {
  const { status, signal, stdout } = spawnSync(
    process.execPath,
    [join(__dirname, 'fuzz.cjs'), join(__dirname, '../../dist')],
    { encoding: 'utf8', timeout: 110_000, env: { ...process.env, NODE_NO_WARNINGS: '1' } },
  );
  expect({ status, signal }).toEqual({ status: 0, signal: null });
  expect(JSON.parse(stdout)).toEqual([]);
}, 120_000);
