import { codes, type Code } from './expression';
import { uniformNodes, type Program } from './expression-program';

/** Where the kernels find what a program reads and writes, by its name. */
export interface Layout {
  /** States that are one number for a whole parameter. */
  readonly scalars: ReadonlySet<string>;
  /** The number in `enum fastopt_array` of `p`, `g` or a state. */
  arrayOf(name: string): number;
  /** Which double of `fastopt_hypers` a hyper-parameter is. */
  hyperOf(name: string): number;
  /** Which double of `fastopt_counters` a counter is. */
  counterOf(name: string): number;
}

/**
 * Writes a program as the kernels take it, six doubles a node: code, a, b, c, index, value. Source: `fastopt_node` in
 * `native/optim/fused/fused.h`.
 */
export function toNodes(program: Program, layout: Layout): Float64Array {
  const uniform = uniformNodes(program, layout.scalars);
  const rows: number[][] = [];
  const emit = (code: Code, operands: readonly number[], index = 0, value = 0): number => {
    const [a = 0, b = 0, c = 0] = operands;
    return rows.push([codes.indexOf(code), a, b, c, index, value]) - 1;
  };
  const numbers: number[] = [];
  const numberOf = (node: number): number => numbers[node] ?? 0;
  program.nodes.forEach(({ code, name, value, operands }, i) => {
    const at = operands.map(numberOf);
    const emitted = (): number => {
      switch (code) {
        case 'element':
          return emit(uniform[i] ? 'scalar' : 'element', [], layout.arrayOf(name));
        case 'hyper':
          return emit(code, [], layout.hyperOf(name));
        case 'counter':
          return emit(code, [], layout.counterOf(name));
        case 'sum': // of what is the same for all elements: so many times that
          return uniform[operands[0] ?? 0]
            ? emit('mul', [...at, emit('size', [])])
            : emit(code, at);
        default:
          return emit(code, at, 0, value);
      }
    };
    numbers.push(emitted());
  });
  for (const [name, node] of program.outputs) {
    const store = layout.scalars.has(name) ? 'storeScalar' : 'store';
    emit(store, [numberOf(node)], layout.arrayOf(name));
  }
  return Float64Array.from(rows.flat());
}
