import { noGrad } from '../tensor/autograd';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { Module, Named } from './module';

/** Draws the tree of modules, one a line, as PyTorch prints it. */
export function describeModule(module: Module, indent = '', above: readonly Module[] = []): string {
  const children = above.includes(module) ? [] : module.namedChildren();
  if (children.length === 0) return `${module.kind}(${module.repr})`;
  const lines = children.map(
    ([name, child]) =>
      `${indent}  (${name}): ${describeModule(child, `${indent}  `, [...above, module])}`,
  );
  return `${module.kind}(${module.repr}\n${lines.join('\n')}\n${indent})`;
}

function outputShapes(module: Module, input: Tensor): Map<Module, string> {
  const shapes = new Map<Module, string>();
  const hooks = module.modules().map((each) =>
    each.registerForwardHook((_, __, output) => {
      shapes.set(each, `[${output.shape.join(', ')}]`);
    }),
  );
  const modes = module.modules().map((each) => ({ each, training: each.training }));
  module.eval(); // a summary must not move running statistics
  try {
    tidy(() => {
      noGrad(() => module.forward(input));
    });
  } finally {
    for (const { each, training } of modes) each.setTraining(training);
    for (const hook of hooks) hook.remove();
  }
  return shapes;
}

const grouped = (count: number): string => count.toLocaleString('en-US');

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === row.length - 1
            ? cell.padStart(widths[column] ?? 0)
            : cell.padEnd(widths[column] ?? 0),
        )
        .join('  '),
    )
    .join('\n');
}

/** Lists the layers of a module: name, kind, output shape where there is an input, parameters; and the totals. */
export function summarize(module: Module, input?: Tensor): string {
  const shapes = input ? outputShapes(module, input) : new Map<Module, string>();
  const leaves = module
    .namedModules()
    .filter(([, each]) => each.namedChildren().length === 0 || each.ownParameters().length > 0);
  const row = ([name, each]: Named<Module>): string[] => {
    const count = each.ownParameters().reduce((sum, [, parameter]) => sum + parameter.numel, 0);
    return [
      name,
      `${each.kind}(${each.repr})`,
      ...(input ? [shapes.get(each) ?? ''] : []),
      grouped(count),
    ];
  };
  const parameters = module.parameters();
  const total = parameters.reduce((sum, parameter) => sum + parameter.numel, 0);
  const trainable = parameters.reduce(
    (sum, parameter) => sum + (parameter.requiresGrad ? parameter.numel : 0),
    0,
  );
  const header = ['Name', 'Layer', ...(input ? ['Output'] : []), 'Parameters'];
  return `${table([header, ...leaves.map(row)])}\n\n${grouped(total)} parameters in ${parameters.length} tensors, ${grouped(trainable)} of them trainable`;
}
