import { spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '../..');
const main = join(root, 'dist/cli/main.js');
const small = [
  '--device',
  'cpu',
  '--arch',
  'xresnet18',
  '--limit',
  '32',
  '--valid-limit',
  '16',
  '--bs',
  '16',
];

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `fastopt train`; `watch` sees stdout as it grows, and may end it. */
async function train(
  args: string[],
  watch: (stdout: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Outcome> {
  const child = spawn(process.execPath, [main, 'train', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    watch(stdout, (signal) => child.kill(signal));
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout, stderr };
}

function events(stdout: string): Record<string, unknown>[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const withoutTimes = (list: Record<string, unknown>[]) =>
  list.map(({ seconds: _, ...rest }) => rest);

jest.setTimeout(60_000);

test('the table is that of fastai', async () => {
  const { code, stdout, stderr } = await train([...small, '--epochs', '2']);
  expect([code, stderr]).toEqual([0, '']);
  const lines = stdout.trim().split('\n');
  expect(lines[0]).toMatch(
    /^xresnet18 \([\d,]+ parameters\) with nadam on 32 images of mnist, 2 epochs on cpu, seed 42$/,
  );
  expect(lines[2]).toBe('epoch     train_loss  valid_loss  accuracy  time');
  expect(lines[3]).toMatch(/^0 {9}\d+\.\d{6} {4}\d+\.\d{6} +0\.\d{6} {2}\d\d:\d\d$/);
  expect(lines[4]).toMatch(/^1 /);
  expect(lines[5]).toMatch(
    /^\d+\.\d\d% of the images that it had not seen are right, after \d+ s$/,
  );
});

test('the same seed gives the same losses, another one others; as one JSON object a line', async () => {
  const run = async (seed: string) => {
    const { code, stdout } = await train([...small, '--json', '--seed', seed, '--opt', 'adam']);
    expect(code).toBe(0);
    return withoutTimes(events(stdout));
  };
  const first = await run('1');
  expect(first.map(({ event }) => event)).toEqual(['start', 'epoch', 'end']);
  expect(first[0]).toMatchObject({
    arch: 'xresnet18',
    opt: 'adam',
    limit: 32,
    seed: 1,
    parameters: 11_200_298,
  });
  expect(Object.keys(first[1]!)).toEqual([
    'event',
    'epoch',
    'train_loss',
    'valid_loss',
    'accuracy',
  ]);
  expect(await run('1')).toEqual(first);
  expect((await run('2'))[1]!.train_loss).not.toBe(first[1]!.train_loss);
});

test.each([
  [['--bs', '0'], "option '--bs <n>' argument '0' is invalid. Expected a whole number from 2 up."],
  [['--lr', 'fast'], "option '--lr <rate>' argument 'fast' is invalid. Expected a number above 0."],
  [
    ['--opt', 'lion'],
    "option '--opt <name>' argument 'lion' is invalid. Allowed choices are nadam, adam, sgd.",
  ],
  [
    ['--device', 'tpu'],
    "option '--device <name>' argument 'tpu' is invalid. Expected auto, cpu, cuda or cuda:N.",
  ],
  [['--device', 'cuda:99'], '--device cuda:99 is not available here'],
  [
    ['--label-smoothing', '1'],
    "option '--label-smoothing <share>' argument '1' is invalid. Expected a number from 0 up to but without 1.",
  ],
  [['--speed', '3'], "unknown option '--speed'"],
  [['--bs', '64', '--limit', '32'], '--bs 64 is more than the 32 images of --limit'],
  [['--limit', '60001'], 'mnist: limit: expected a number of images from 1 to 60000, got 60001'],
])('%p is refused with exit code 2', async (args, message) => {
  const { code, stdout, stderr } = await train(args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(`error: ${message}`);
});

test('half precision and channels last train as well', async () => {
  const { code, stdout, stderr } = await train([
    ...small,
    ...['--precision', 'bf16', '--channels-last', '--device', 'auto', '--json'],
  ]);
  expect([code, stderr]).toEqual([0, '']);
  const [start, epoch] = events(stdout);
  expect(start).toMatchObject({ precision: 'bf16', channelsLast: true });
  expect(start!.device).toMatch(/^(cpu|cuda:0)$/);
  expect(epoch!.train_loss).toBeGreaterThan(0);
});

test('images are augmented and resized, labels smoothed, weights decayed', async () => {
  const { code, stdout, stderr } = await train([
    ...[
      ...small,
      '--size',
      '32',
      '--augment',
      '--label-smoothing',
      '0.1',
      '--wd',
      '0.05',
      '--json',
    ],
  ]);
  expect([code, stderr]).toEqual([0, '']);
  const [start, epoch] = events(stdout);
  expect(start).toMatchObject({ size: 32, augment: true, labelSmoothing: 0.1, wd: 0.05 });
  const { stdout: plain } = await train([...small, '--json']);
  expect(epoch!.train_loss).not.toBe(events(plain)[1]!.train_loss);
});

test('Ctrl-C stops between batches and exits 130', async () => {
  let asked = false;
  const { code, stdout } = await train([...small, '--epochs', '500', '--json'], (out, kill) => {
    if (asked || !out.includes('"epoch"')) return;
    asked = true;
    kill('SIGINT');
  });
  expect(code).toBe(130);
  const last = events(stdout).at(-1)!;
  expect(last).toMatchObject({
    event: 'stopped',
    batches: expect.any(Number) as number,
    smooth_loss: expect.any(Number) as number,
  });
  expect(last.batches).toBeLessThan(1000);
});

test('a reader that has read enough ends it quietly', async () => {
  const args = [...small, '--epochs', '500', '--json'];
  const child = spawn(process.execPath, [main, 'train', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdout.once('data', () => child.stdout.destroy());
  const code = await new Promise<number | null>((resolve) => child.on('exit', resolve));
  expect([code, stderr]).toEqual([0, '']);
});

test('--help lists all options', async () => {
  const { code, stdout } = await train(['--help']);
  expect(code).toBe(0);
  for (const option of [
    'arch',
    'opt',
    'epochs',
    'lr',
    'bs',
    'data',
    'limit',
    'valid-limit',
    'size',
    'augment',
    'label-smoothing',
    'wd',
    'seed',
    'device',
    'precision',
    'channels-last',
    'json',
  ]) {
    expect(stdout).toContain(`--${option} `);
  }
});
