import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { optim, tensor } from '../../lib/index';
import { packageRoot } from '../../lib/internal/root';
import { fusedPipeline } from '../../lib/optim/fused-pipeline';

const { Adam, AdamW, Lion, Nadam, QHAdam, RAdam, RMSProp, SGD, TorchNadam } = optim;

test('the build compiles the CUDA kernels of all optimizers as they come, and of no other list', () => {
  const text = readFileSync(join(packageRoot(), 'native/build.json'), 'utf8');
  const { optimizer_lists: built } = JSON.parse(text) as { optimizer_lists: string[] };
  const p = tensor([1]);
  const opts = [
    ...[Adam, AdamW, Lion, Nadam, QHAdam, RAdam, RMSProp, SGD, TorchNadam].map((make) =>
      make(p, { lr: 1 }),
    ),
    ...[RMSProp, SGD].map((make) => make(p, { lr: 1, mom: 0.9 })),
  ];
  const lists = opts.map((opt) => {
    const pipeline = fusedPipeline(opt.cbs);
    opt.dispose();
    return typeof pipeline === 'string' ? pipeline : pipeline.numbers.join(',');
  });
  expect(built.toSorted()).toEqual([...new Set(lists)].sort());
});
