import type { Code, Expr } from './expression';

/** One operation of a program; its operands are numbers of nodes before it. */
export interface ProgramNode {
  readonly code: Code;
  readonly operands: readonly number[];
  /** What it reads: `p`, `g`, a state, a hyper-parameter or a counter. */
  readonly name: string;
  readonly value: number;
}

/** A recorded callback: what it computes, in order, and which nodes are the new values of what. */
export interface Program {
  readonly nodes: readonly ProgramNode[];
  readonly outputs: ReadonlyMap<string, number>;
}

/** Puts expressions in the order in which to compute them; what is the same is computed once. */
export function toProgram(outputs: ReadonlyMap<string, Expr>): Program {
  const nodes: ProgramNode[] = [];
  const numbers = new Map<Expr, number>();
  const same = new Map<string, number>();
  const numberOf = (expr: Expr): number => {
    const known = numbers.get(expr);
    if (known !== undefined) return known;
    const { code, name, value } = expr;
    const operands = expr.operands.map(numberOf);
    const key = [code, name, Object.is(value, -0) ? '-0' : value, ...operands].join();
    const number = same.get(key) ?? nodes.push({ code, operands, name, value }) - 1;
    same.set(key, number);
    numbers.set(expr, number);
    return number;
  };
  return { outputs: new Map([...outputs].map(([name, value]) => [name, numberOf(value)])), nodes };
}

/** Tells of each node whether it is one number for the whole parameter, where `scalars` are such states. */
export function uniformNodes({ nodes }: Program, scalars: ReadonlySet<string>): boolean[] {
  const uniform: boolean[] = [];
  for (const { code, name, operands } of nodes) {
    const isUniform = code === 'element' ? scalars.has(name) : operands.every((i) => uniform[i]);
    uniform.push(code === 'sum' || isUniform);
  }
  return uniform;
}

/**
 * Finds the states that are one number for a whole parameter: as many of the candidates as can be. A state whose new value
 * differs between elements is none, and so is what is computed from it.
 */
export function scalarStates(
  programs: readonly Program[],
  candidates: Iterable<string>,
): ReadonlySet<string> {
  const scalars = new Set(candidates);
  for (let before = -1; before !== scalars.size;) {
    before = scalars.size;
    for (const program of programs) {
      const uniform = uniformNodes(program, scalars);
      for (const [name, number] of program.outputs) if (!uniform[number]) scalars.delete(name);
    }
  }
  return scalars;
}
