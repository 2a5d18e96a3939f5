// Runs a recorded callback with the operators of tensors, one after the other.
import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { where, zerosLike } from '../ops';
import { tensor } from '../tensor/create';
import type { DType } from '../tensor/dtype';
import { Tensor } from '../tensor/tensor';
import type { Code } from './expression';
import { scalarStates, uniformNodes, type Program, type ProgramNode } from './expression-program';
import { stateDtype } from './state';
import type { GradParam, Hyper, ParamState, StatePatch } from './types';

// What is the same for all elements is a number; but on a GPU, where reading one would wait for it, what comes of a sum or of
// the state is a float64 tensor of no dimensions, with which libtorch computes as with a number.
type Value = number | Tensor;

type Unary = readonly [ofNumber: (x: number) => number, ofTensor: (x: Tensor) => Tensor];
type Binary = readonly [
  ofNumbers: (a: number, b: number) => number,
  ofTensors: (a: Tensor, b: Tensor) => Tensor,
  /** Saves making a tensor of a number. */
  withNumber?: (a: Tensor, b: number) => Tensor,
];

const unary: Partial<Record<Code, Unary>> = {
  neg: [(x) => -x, (x) => x.neg()],
  abs: [Math.abs, (x) => x.abs()],
  sign: [(x) => Number(x > 0) - Number(x < 0), (x) => x.sign()],
  sqrt: [Math.sqrt, (x) => x.sqrt()],
  reciprocal: [(x) => 1 / x, (x) => x.reciprocal()],
  exp: [Math.exp, (x) => x.exp()],
  expm1: [Math.expm1, (x) => x.expm1()],
  log: [Math.log, (x) => x.log()],
  log1p: [Math.log1p, (x) => x.log1p()],
  tanh: [Math.tanh, (x) => x.tanh()],
  not: [(x) => Number(x === 0), (x) => x.eq(0)],
};

const binary: Partial<Record<Code, Binary>> = {
  add: [(a, b) => a + b, (a, b) => a.add(b), (a, b) => a.add(b)],
  sub: [(a, b) => a - b, (a, b) => a.sub(b), (a, b) => a.sub(b)],
  mul: [(a, b) => a * b, (a, b) => a.mul(b), (a, b) => a.mul(b)],
  div: [(a, b) => a / b, (a, b) => a.div(b), (a, b) => a.div(b)],
  pow: [power, (a, b) => a.pow(b), (a, b) => a.pow(b)],
  maximum: [Math.max, (a, b) => a.maximum(b)],
  minimum: [Math.min, (a, b) => a.minimum(b)],
  eq: [(a, b) => Number(a === b), (a, b) => a.eq(b), (a, b) => a.eq(b)],
  ne: [(a, b) => Number(a !== b), (a, b) => a.ne(b), (a, b) => a.ne(b)],
  lt: [(a, b) => Number(a < b), (a, b) => a.lt(b), (a, b) => a.lt(b)],
  le: [(a, b) => Number(a <= b), (a, b) => a.le(b), (a, b) => a.le(b)],
  and: [(a, b) => Number(a !== 0 && b !== 0), (a, b) => a.ne(0).logicalAnd(b.ne(0))],
  or: [(a, b) => Number(a !== 0 || b !== 0), (a, b) => a.ne(0).logicalOr(b.ne(0))],
};

// As C and libtorch have it: JavaScript's power of 1 or -1 to infinity is NaN.
function power(a: number, b: number): number {
  return a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b;
}

// Of tensors they give bools, with which one can't compute.
const truths: ReadonlySet<Code> = new Set(['not', 'eq', 'ne', 'lt', 'le', 'and', 'or']);

// On the CPU, also for a parameter on a GPU: there it counts as a number.
const lift = (x: Value, dtype: DType = 'float64'): Tensor =>
  typeof x === 'number' ? tensor(x, { dtype, device: 'cpu' }) : x;

const widened = (x: Tensor, dtype: DType): Tensor => (x.dtype === dtype ? x : x.to({ dtype }));

/** A program, and what of it is the same for all elements. */
interface Plan {
  readonly program: Program;
  /** The states that are one number. */
  readonly scalars: ReadonlySet<string>;
  readonly uniform: readonly boolean[];
}

/** One run of a program for one parameter. */
class Evaluation {
  readonly #plan: Plan;
  readonly #p: GradParam;
  readonly #state: ParamState;
  readonly #hyper: Hyper;
  readonly #dtype: DType;
  readonly #isOnHost: boolean;
  readonly #values: (Value | undefined)[] = [];
  readonly #read = new Set<Value>();

  constructor(plan: Plan, p: GradParam, state: ParamState, hyper: Hyper) {
    this.#plan = plan;
    this.#p = p;
    this.#state = state;
    this.#hyper = hyper;
    this.#dtype = stateDtype(p);
    this.#isOnHost = p.device === 'cpu';
  }

  /** Computes all new values, then writes those of `p` and its gradient, and returns those of the state. */
  run(): StatePatch {
    const values: [string, Value][] = [];
    for (const [name, i] of this.#plan.program.outputs) {
      const value = this.#own(i);
      values.push([name, value]);
      this.#read.add(value); // of two states with one value, each has a tensor of its own
    }
    const patch: Record<string, Tensor> = {};
    for (const [name, value] of values) {
      if (name === 'p') write(this.#p, value);
      else if (name === 'g') write(this.#p.grad, value);
      else patch[name] = this.#toState(name, value);
    }
    return patch;
  }

  // A tensor that was read may be written before this value is.
  #own(i: number): Value {
    const value = this.#valueOf(i);
    return typeof value !== 'number' && this.#read.has(value) ? value.clone() : value;
  }

  #toState(name: string, value: Value): Tensor {
    const [p, dtype, isOne] = [this.#p, this.#dtype, this.#plan.scalars.has(name)];
    if (typeof value !== 'number' && (isOne || !isSame(value, p))) return widened(value, dtype);
    const zero = isOne ? tensor(0, { dtype, device: p.device }) : zerosLike(p, { dtype });
    return typeof value === 'number' ? zero.add_(value) : zero.add_(value);
  }

  #valueOf(i = -1): Value {
    const node = this.#plan.program.nodes[i];
    return node === undefined ? NaN : (this.#values[i] ??= this.#compute(node, i));
  }

  #compute(node: ProgramNode, i: number): Value {
    const { code, operands } = node;
    if (operands.length === 0) return this.#leaf(node);
    const dtype = this.#plan.uniform[i] ? 'float64' : this.#dtype;
    const a = this.#valueOf(operands[0]);
    if (code === 'where') return this.#where(a, operands, dtype);
    if (code === 'sum') return this.#sum(a);
    const value = this.#apply(code, a, operands[1]);
    return typeof value !== 'number' && truths.has(code) ? value.to({ dtype }) : value;
  }

  #apply(code: Code, a: Value, second: number | undefined): Value {
    const one = unary[code];
    if (one) return typeof a === 'number' ? one[0](a) : one[1](a);
    const [ofNumbers, ofTensors, withNumber] = binary[code] ?? [];
    const b = this.#valueOf(second);
    if (typeof b !== 'number') return ofTensors?.(lift(a), b) ?? NaN;
    if (typeof a === 'number') return ofNumbers?.(a, b) ?? NaN;
    return (withNumber ? withNumber(a, b) : ofTensors?.(a, lift(b))) ?? NaN;
  }

  #leaf({ code, name, value }: ProgramNode): Value {
    switch (code) {
      case 'element':
        return this.#element(name);
      case 'hyper':
        return this.#hyper[name] ?? NaN;
      case 'counter':
        return this.#counter(name);
      case 'size':
        return this.#p.numel;
      default:
        return value;
    }
  }

  #counter(name: string): number {
    const value = this.#state[name];
    if (name === 'do_wd') return value === undefined || value ? 1 : 0;
    return typeof value === 'number' ? value : NaN;
  }

  #element(name: string): Value {
    const stored = name === 'p' ? this.#p : name === 'g' ? this.#p.grad : this.#state[name];
    if (stored === undefined) return 0; // it is made by this step
    if (!(stored instanceof Tensor)) {
      throw new ArgumentError(
        `elementwise: expected a tensor as state '${name}', got ${inspect(stored, { depth: 0 })}`,
      );
    }
    const isOne = this.#plan.scalars.has(name);
    if (isOne && this.#isOnHost) return stored.item();
    const value = widened(stored, isOne ? 'float64' : this.#dtype);
    this.#read.add(value);
    return value;
  }

  // A number chooses one branch, and the other isn't computed.
  #where(condition: Value, [, a, b]: readonly number[], dtype: DType): Value {
    if (typeof condition === 'number') return this.#valueOf(condition === 0 ? b : a);
    const branch = (i: number | undefined): Tensor => {
      const value = this.#valueOf(i);
      return widened(lift(value, dtype), dtype);
    };
    return where(condition.ne(0), branch(a), branch(b));
  }

  #sum(x: Value): Value {
    if (typeof x === 'number') return x * this.#p.numel;
    if (isSame(x, this.#p)) return x.mul(this.#p.numel);
    const sum = x.sum({ dtype: 'float64' });
    return this.#isOnHost ? sum.item() : sum;
  }
}

// Whether it is one number for all elements.
function isSame(x: Tensor, p: Tensor): boolean {
  return x.shape.length === 0 && p.shape.length > 0;
}

function write(target: Tensor, value: Value): void {
  if (typeof value === 'number') target.fill_(value);
  else target.copy_(value);
}

/** A program that tensors run. In half precision it computes in float32 and rounds what it writes, as the kernels do. */
export class TensorProgram {
  readonly program: Program;
  readonly #states: readonly string[];
  // By the states that are tensors of the parameter's shape.
  readonly #plans = new Map<string, Plan>();

  constructor(program: Program) {
    this.program = program;
    const read = program.nodes.filter(({ code }) => code === 'element');
    const names = new Set([...read.map(({ name }) => name), ...program.outputs.keys()]);
    this.#states = [...names].filter((name) => name !== 'p' && name !== 'g');
  }

  /** Changes `p` and its gradient, and returns what the state holds from now on. */
  run(p: GradParam, state: ParamState, hyper: Hyper): StatePatch {
    return new Evaluation(this.#planFor(state), p, state, hyper).run();
  }

  #planFor(state: ParamState): Plan {
    const candidates = this.#states.filter((name) => {
      const value = state[name];
      return !(value instanceof Tensor) || value.shape.length === 0;
    });
    const known = this.#plans.get(candidates.join());
    if (known) return known;
    const scalars = scalarStates([this.program], candidates);
    const uniform = uniformNodes(this.program, scalars);
    const plan = { program: this.program, scalars, uniform };
    this.#plans.set(candidates.join(), plan);
    return plan;
  }
}
