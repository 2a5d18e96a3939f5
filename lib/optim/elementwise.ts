import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { checkOptions } from '../internal/options';
import { proxyOf } from '../internal/proxy';
import { checkDeclaration, declare, type Declaration, type DeclaredCallback } from './callback';
import { Expr, toExpr, type Operand } from './expression';
import { toProgram, type Program } from './expression-program';
import { TensorProgram } from './expression-tensors';

/** What an elementwise callback declares. */
export interface ElementwiseDeclaration<
  Makes extends string = string,
  Needs extends string = string,
  May extends string = string,
  H extends string = string,
  D extends string = string,
> extends Declaration<H, D> {
  /** The keys of the state that it makes, tensors, from 0; it returns a new value for each. */
  readonly state?: readonly Makes[];
  /** Keys that it reads besides, made by stats before it. */
  readonly needs?: readonly Needs[];
  /** Keys that it reads where they are: in the function they are undefined where no stat made them. */
  readonly optional?: readonly May[];
}

/** What the function of an elementwise callback reads, by its names. */
export type ElementwiseValues<Names extends string, May extends string> = {
  readonly [K in 'p' | 'g' | 'do_wd']: Expr;
} & { readonly [K in Names]: Expr } & { readonly [K in May]?: Expr };

/** What the function of an elementwise callback returns: new values. */
export type ElementwiseResult<Makes extends string> = { readonly [K in Makes]: Operand } & {
  readonly p?: Operand;
  readonly g?: Operand;
};

type Run = (values: ElementwiseValues<string, string>) => unknown;

/** Gives the program of a callback for when some of its optional states are there. */
export type ProgramFor = (isThere: (name: string) => boolean) => Program;

const programs = new WeakMap<object, ProgramFor>();

/** Finds what was recorded of a callback, if `elementwise` made it. */
export function recordedProgram(callback: object): ProgramFor | undefined {
  return programs.get(callback);
}

const counters = ['step', 'do_wd', 'mu_product'];
// State that is no tensor of this callback, whatever it declares.
const reserved = ['p', 'g', ...counters, 'force_train', 'slow_weights', 'count'];

function checkNames(
  where: string,
  { state = [], needs = [], optional = [], hypers = [] }: ElementwiseDeclaration,
): void {
  const made = state.find((name) => reserved.includes(name));
  if (made !== undefined)
    throw new ArgumentError(`${where}: expected state of another name than '${made}'; choose one`);
  const names = ['p', 'g', 'do_wd', ...state, ...needs, ...optional, ...hypers];
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return;
  throw new ArgumentError(
    `${where}: expected each name once, got '${twice}' twice (p, g and do_wd are always there)`,
  );
}

// What the function may read, by its names.
function leavesOf(
  { state = [], needs = [], hypers = [] }: ElementwiseDeclaration,
  present: readonly string[],
): Record<string, Expr> {
  const states = ['p', 'g', 'do_wd', ...state, ...needs, ...present].map((name) => {
    const leaf = new Expr(counters.includes(name) ? 'counter' : 'element', [], { name });
    return [name, leaf] as const;
  });
  const ofHypers = hypers.map((name) => [name, new Expr('hyper', [], { name })] as const);
  return Object.fromEntries([...states, ...ofHypers]);
}

function checkOutputs(
  where: string,
  result: unknown,
  state: readonly string[],
): ReadonlyMap<string, Expr> {
  const names = ['p', 'g', ...state];
  if (typeof result !== 'object' || result === null || result instanceof Expr) {
    throw new ArgumentError(
      `${where}: expected an object of new values (of ${names.join(', ')}), got ${inspect(result, { depth: 0 })}`,
    );
  }
  const entries: [string, unknown][] = Object.entries(result);
  const outputs = new Map(entries.map(([name, value]) => [name, toExpr(value)]));
  const unknown = [...outputs.keys()].find((name) => !names.includes(name));
  if (unknown !== undefined || outputs.size === 0) {
    throw new ArgumentError(
      `${where}: expected new values of ${names.join(', ')}, got ${unknown === undefined ? 'none' : `'${unknown}'`}; declare as state what it makes`,
    );
  }
  const missing = state.find((name) => !outputs.has(name));
  if (missing === undefined) return outputs;
  throw new ArgumentError(`${where}: expected a new value of state '${missing}', got none`);
}

function record(
  where: string,
  declaration: ElementwiseDeclaration,
  run: Run,
  present: readonly string[],
): Program {
  const { state = [], optional = [] } = declaration;
  const leaves = leavesOf(declaration, present);
  const values = proxyOf<ElementwiseValues<string, string>>(leaves, (name) => {
    if (Object.hasOwn(leaves, name) || optional.includes(name)) return leaves[name];
    throw new ArgumentError(
      `${where}: '${name}' is not declared; it reads ${Object.keys(leaves).join(', ')}`,
    );
  });
  const program = toProgram(checkOutputs(where, run(values), state));
  const foreign = program.nodes.find(({ name, code }) => name && leaves[name]?.code !== code);
  if (foreign === undefined) return program;
  throw new ArgumentError(
    `${where}: '${foreign.name}' is an expression of another callback; read it from the argument`,
  );
}

/**
 * Makes a stat or a step whose maths of an element is recorded: your function is called when the callback is made, with
 * expressions in place of numbers and tensors, and returns the new values as expressions. From then on they are computed
 * together with all other callbacks in one pass over memory, without a compiler, or by operators of tensors.
 *
 * All it reads is as it was before this callback. `p` is the parameter, `g` its gradient, `do_wd` is 0 where weight decay
 * is off; state that it makes is 0 at first. Hyper-parameters are read at each step.
 *
 * @param declaration the state that it makes, the state that it needs besides, and the hyper-parameters that it reads.
 * @param run `({ p, g, ... }) => ({ p: ..., ... })`: new values of `p`, `g` and the declared `state`. No `if` can depend on
 *   an expression: use `where`.
 * @throws ArgumentError when it reads or returns what isn't declared, or uses an expression as a number.
 * @throws UnknownOptionError when the declaration has another key.
 * @example
 * ```ts
 * const signStep = elementwise({ name: 'signStep', hypers: ['lr'] }, ({ p, g, lr }) => ({ p: p.sub(g.sign().mul(lr)) }));
 * ```
 */
export function elementwise<
  const Makes extends string = never,
  const Needs extends string = never,
  const May extends string = never,
  const H extends string = never,
  const D extends H = never,
>(
  declaration: ElementwiseDeclaration<Makes, Needs, May, H, D>,
  run: (values: ElementwiseValues<Makes | Needs | H, May>) => ElementwiseResult<Makes>,
): DeclaredCallback<Needs, Makes, H, D>;
export function elementwise(declaration: ElementwiseDeclaration, run: Run): DeclaredCallback {
  checkOptions('elementwise', declaration, [
    ...['name', 'state', 'needs', 'optional', 'hypers', 'defaults'],
  ]);
  checkDeclaration('elementwise', { ...declaration });
  if (typeof run !== 'function') {
    throw new ArgumentError(
      `elementwise: expected ({ p, g, ... }) => ({ p: ... }), got ${inspect(run, { depth: 0 })}`,
    );
  }
  const { name = run.name || 'elementwise', state, needs, optional = [] } = declaration;
  checkNames(name, declaration);
  const recordings = new Map<string, TensorProgram>();
  const recordingFor = (isThere: (name: string) => boolean): TensorProgram => {
    const present = optional.filter(isThere);
    const known = recordings.get(present.join());
    if (known) return known;
    const recording = new TensorProgram(record(name, declaration, run, present));
    recordings.set(present.join(), recording);
    return recording;
  };
  recordingFor(() => false);
  const { outputs } = recordingFor(() => true).program;
  const kind = outputs.has('p') || outputs.has('g') ? 'step' : 'stat';
  const callback = declare(
    kind,
    { ...declaration, name },
    { needs, makes: state, optional },
    (p, values, hyper) => recordingFor((key) => values[key] !== undefined).run(p, values, hyper),
  );
  programs.set(callback, (isThere) => recordingFor(isThere).program);
  return callback;
}
