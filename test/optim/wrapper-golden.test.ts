import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OptimWrapper, torchOptim, type TorchKind, type TorchLBFGSOptions } from '../../lib/optim';
import { tensor } from '../../lib/tensor/create';
import { tidy } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { expectClose } from './support';

// The script that made the goldens, test/golden/wrapper.py, runs the same cases on PyTorch.
interface Golden {
  torch: string;
  shapes: number[][];
  steps: number;
  cases: {
    opt: Exclude<TorchKind, 'LBFGS'>;
    options: { lr: number };
    groups: boolean;
    expected: number[][];
  }[];
  lbfgs: { options: TorchLBFGSOptions; losses: number[]; p: number[] }[];
}
const golden = JSON.parse(
  readFileSync(join(__dirname, '../golden/wrapper.json'), 'utf8'),
) as Golden;

const start = (k: number, i: number): number => (((5 * i + 3 * k) % 7) - 3) / 4;
const gradient = (step: number, k: number, i: number): number =>
  ((((7 * step + 5 * k + 3 * i) * (step + i + 1)) % 31) - 15) / 16;

function filled(shape: number[], value: (i: number) => number): Tensor {
  const length = shape.reduce((a, b) => a * b, 1);
  return tensor(Float64Array.from({ length }, (_, i) => value(i))).view(shape);
}

test.each(
  golden.cases.map((each) => [each.opt, JSON.stringify(each.options), each.groups, each] as const),
)(
  '%s %s in groups: %p steps like torch.optim',
  (_, __, ___, { opt: name, options, groups, expected }) => {
    const params = golden.shapes.map((shape, k) =>
      filled(shape, (i) => start(k, i)).requiresGrad_(),
    );
    const lists = groups ? [params.slice(0, 1), params.slice(1)] : [params];
    const lr = lists.map((_list, i) => options.lr * (i + 1));
    const opt = new OptimWrapper(lists, torchOptim[name] as typeof torchOptim.SGD, {
      ...options,
      lr,
    });
    for (let step = 1; step <= golden.steps; step++) {
      params.forEach((p, k) => {
        p.grad = (step + k) % 5 === 0 ? null : filled(p.shape, (i) => gradient(step, k, i));
      });
      if (step === 7)
        opt.setHyper(
          'lr',
          lr.map((each) => each / 2),
        );
      opt.step();
    }
    params.forEach((p, k) => expectClose(p, expected[k]!, 1e-12));
    opt.dispose();
  },
);

test.each(golden.lbfgs)(
  'LBFGS $options descends Rosenbrock like torch.optim',
  ({ options, losses, p: end }) => {
    const p = tensor(Float64Array.of(-1.5, 2)).requiresGrad_();
    const opt = new OptimWrapper(p, torchOptim.LBFGS, options);
    const closure = (): Tensor => {
      opt.zeroGrad();
      const [x, y] = [p.select(0, 0), p.select(0, 1)];
      const loss = x.mul(-1).add(1).square().add(y.sub(x.square()).square().mul(10));
      loss.backward();
      return loss;
    };
    for (const loss of losses)
      expectClose(
        tidy(() => opt.step(closure)!.item()),
        loss,
        1e-9,
      );
    expectClose(p, end, 1e-9);
    opt.dispose();
  },
);
