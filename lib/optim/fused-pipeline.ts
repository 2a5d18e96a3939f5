import { isDeclared, type DeclaredCallback } from './callback';
import { recordedProgram } from './elementwise';
import { toNodes } from './expression-nodes';
import { scalarStates, type Program } from './expression-program';
import { fusedNumberOf, shareScalars } from './fused-callbacks';
import type { AnyCallback, Callbacks } from './typed';

/** A list of callbacks as the kernels take it. */
export interface FusedPipeline {
  /** Numbers of `enum fastopt_callback`, or 1000 + i for `programs[i]`. */
  readonly numbers: readonly number[];
  /** The nodes of each program, six doubles a node: code, a, b, c, index, value (`fastopt_node`). */
  readonly programs: readonly Float64Array[];
  /** The states that the kernels touch. */
  readonly states: readonly FusedState[];
  /** What a step would read if it were in the state, though no callback of the list keeps it up. */
  readonly unkept: readonly string[];
  /** The names of `fastopt_hypers.own`, in order. */
  readonly ownHypers: readonly string[];
}

/** One state that the kernels touch. */
export interface FusedState {
  readonly name: string;
  /** A number of `enum fastopt_array`. */
  readonly array: number;
  /** Whether it is one number for the whole parameter, in a tensor of one element. */
  readonly scalar: boolean;
  readonly written: boolean;
}

// In the order of `fastopt_hypers`, `fastopt_counters` and `enum fastopt_array` in native/optim/fused/fused.h.
const namedHypers = ['lr', 'mom', 'sqr_mom', 'eps', 'wd', 'nu_1', 'nu_2', 'momentum_decay'];
const kernelHypers = ['grad_scale', 'slow_step']; // callbacks don't have them
const counters = ['step', 'do_wd', 'mu_product'];
const arrays = ['p', 'g', 'grad_avg', 'sqr_avg', 'slow_weights'];

const [ownStates, ownHypers, firstProgram] = [8, 16, 1000];

/** A callback that the kernels know, or whose maths was recorded. */
interface Part {
  readonly cb: DeclaredCallback;
  readonly number: number | undefined;
  readonly program: Program | undefined;
}

/**
 * Finds the kernels of callbacks, or tells why these have none.
 *
 * @param beta whether the hyper-parameter of that name isn't 0 everywhere: the kernel of RAdam hasn't got it.
 */
export function fusedPipeline(cbs: Callbacks, beta = false): FusedPipeline | string {
  const list = typeof cbs === 'function' ? [cbs] : [...cbs];
  const made = new Set(list.flatMap((cb) => (isDeclared(cb) ? cb.makes : [])));
  const parts: Part[] = [];
  for (const cb of list) {
    const [number, programFor] = [fusedNumberOf(cb, made, beta), recordedProgram(cb)];
    if (!isDeclared(cb) || (number === undefined && programFor === undefined))
      return `${cb.name || 'a function'} has no kernel`;
    const program = number === undefined ? programFor?.((key) => made.has(key)) : undefined;
    parts.push({ cb, number, program });
  }
  return whyNotInOrder(parts, made) ?? whyNotApart(parts) ?? pipelineOf(parts, made);
}

/** Names the states that are one number for a whole parameter, as far as recordings tell. */
export function numberStates(cbs: Iterable<AnyCallback>): ReadonlySet<string> {
  const list = [...cbs].filter((cb) => isDeclared(cb));
  const made = new Set(list.flatMap((cb) => cb.makes));
  const programs = list.map((cb) => recordedProgram(cb)?.((key) => made.has(key)));
  const others = list.flatMap((cb, i) => (programs[i] ? [] : cb.makes));
  return scalarStates(
    programs.flatMap((program) => program ?? []),
    [...made].filter((key) => !counters.includes(key) && !others.includes(key)),
  );
}

function optionalOf({ state, needs, makes }: DeclaredCallback): readonly string[] {
  const others: readonly string[] = [...needs, ...makes, 'do_wd'];
  return state.filter((key) => !others.includes(key));
}

// Kernels count steps before they compute anything, callbacks when it is their turn.
function whyNotInOrder(parts: readonly Part[], made: ReadonlySet<string>): string | undefined {
  const before = new Set<string>();
  for (const { cb } of parts) {
    const counted = optionalOf(cb).filter((key) => counters.includes(key) && made.has(key));
    const missing = [...cb.needs, ...counted].find((key) => !before.has(key));
    if (missing !== undefined)
      return `${cb.name} reads ${missing}, and no callback before it makes that`;
    const twice = cb.makes.find((key) => counters.includes(key) && before.has(key));
    if (twice !== undefined) return `two callbacks make ${twice}`;
    for (const key of cb.makes) before.add(key);
  }
  return undefined;
}

function whyNotApart(parts: readonly Part[]): string | undefined {
  for (const { cb, number: a } of parts) {
    const other = parts.find(
      ({ number: b }) => a !== undefined && b !== undefined && shareScalars(a, b),
    );
    if (other) return `the kernels of ${cb.name} and ${other.cb.name} can't be in one list`;
  }
  return undefined;
}

function pipelineOf(parts: readonly Part[], made: ReadonlySet<string>): FusedPipeline | string {
  const programs = parts.flatMap(({ program }) => program ?? []);
  const makes = [...made].filter((key) => !counters.includes(key));
  const ofKernels = parts.flatMap(({ cb, program }) => (program ? [] : cb.makes));
  const scalars = scalarStates(
    programs,
    makes.filter((key) => !ofKernels.includes(key)),
  );
  const own = makes.filter((key) => !arrays.includes(key));
  const hypers = ownHypersOf(programs);
  const unfit = whyNoRoom(scalars, own, hypers);
  if (unfit !== undefined) return unfit;

  const layout = {
    scalars,
    arrayOf: (name: string) => [...arrays, ...own].indexOf(name),
    hyperOf: (name: string) => [...namedHypers, ...kernelHypers, ...hypers].indexOf(name),
    counterOf: (name: string) => counters.indexOf(name),
  };
  let next = firstProgram;
  return {
    numbers: parts.map(({ number }) => number ?? next++),
    programs: programs.map((program) => toNodes(program, layout)),
    states: makes.map((name) => {
      const array = layout.arrayOf(name);
      return { name, array, scalar: scalars.has(name), written: true };
    }),
    unkept: parts.flatMap(({ cb }) => optionalOf(cb)).filter((key) => !made.has(key)),
    ownHypers: hypers,
  };
}

function ownHypersOf(programs: readonly Program[]): string[] {
  const read = programs.flatMap(({ nodes }) => nodes).filter(({ code }) => code === 'hyper');
  return [...new Set(read.map(({ name }) => name))].filter((name) => !namedHypers.includes(name));
}

function whyNoRoom(
  scalars: ReadonlySet<string>,
  own: readonly string[],
  hypers: readonly string[],
): string | undefined {
  const named = arrays.find((key) => scalars.has(key));
  if (named !== undefined) return `${named} is one number, and a tensor for the kernels`;
  if (own.length > ownStates)
    return `the kernels have room for ${ownStates} states besides averages, and there are ${own.length}`;
  if (hypers.length > ownHypers)
    return `the kernels have room for ${ownHypers} hypers besides their own, and there are ${hypers.length}`;
  return undefined;
}
