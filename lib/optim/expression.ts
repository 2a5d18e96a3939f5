import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';

/** What a node of an expression computes: `enum fastopt_code` of `native/optim/fused/fused.h`, in its order. */
export const codes = [
  ...(['constant', 'hyper', 'counter', 'size', 'element', 'scalar'] as const),
  ...(['neg', 'abs', 'sign', 'sqrt', 'reciprocal', 'exp', 'expm1', 'log', 'log1p'] as const),
  ...(['tanh', 'not', 'add', 'sub', 'mul', 'div', 'pow', 'maximum', 'minimum'] as const),
  ...(['eq', 'ne', 'lt', 'le', 'and', 'or', 'where', 'sum', 'store', 'storeScalar'] as const),
] as const;

/** One of `codes`. */
export type Code = (typeof codes)[number];

/** What an expression computes with: another expression, or a number. */
export type Operand = Expr | number;

/** What a node has besides its operands: the name of what it reads, or a constant. */
interface Leaf {
  readonly name?: string;
  readonly value?: number;
}

/**
 * A value that is yet to be computed, for each element of a parameter or once for all of them: what `elementwise` hands to
 * your function. Its methods are named as those of `Tensor`, change nothing, and return another expression. Comparisons
 * give 1 or 0.
 */
export class Expr {
  /** @internal */
  readonly code: Code;
  /** @internal */
  readonly operands: readonly Expr[];
  /** @internal What it reads. */
  readonly name: string;
  /** @internal */
  readonly value: number;

  /** @internal Made by `elementwise`, by `expr`, and by the methods of other expressions. */
  constructor(code: Code, operands: readonly Expr[], { name = '', value = 0 }: Leaf = {}) {
    this.code = code;
    this.operands = operands;
    this.name = name;
    this.value = value;
    Object.freeze(this);
  }

  // ---- arithmetic ----

  /** `this + alpha * other`. */
  add(other: Operand, { alpha = 1 }: { readonly alpha?: Operand } = {}): Expr {
    return node('add', this, scaled(other, alpha));
  }

  /** `this - alpha * other`. */
  sub(other: Operand, { alpha = 1 }: { readonly alpha?: Operand } = {}): Expr {
    return node('sub', this, scaled(other, alpha));
  }

  /** `other - alpha * this`: `mom.rsub(1)` is `1 - mom`. */
  rsub(other: Operand, { alpha = 1 }: { readonly alpha?: Operand } = {}): Expr {
    return node('sub', other, scaled(this, alpha));
  }

  /** `this * other`. */
  mul(other: Operand): Expr {
    return node('mul', this, other);
  }

  /** `this / other`. */
  div(other: Operand): Expr {
    return node('div', this, other);
  }

  /** `this ** exponent`. */
  pow(exponent: Operand): Expr {
    return node('pow', this, exponent);
  }

  /** `this + value * a * b`. */
  addcmul(a: Operand, b: Operand, { value = 1 }: { readonly value?: Operand } = {}): Expr {
    return this.add(node('mul', a, b), { alpha: value });
  }

  /** `this + value * a / b`. */
  addcdiv(a: Operand, b: Operand, { value = 1 }: { readonly value?: Operand } = {}): Expr {
    return this.add(node('div', scaled(a, value), b));
  }

  /** `this + weight * (end - this)`. */
  lerp(end: Operand, weight: Operand): Expr {
    return this.add(node('sub', end, this), { alpha: weight });
  }

  // ---- functions of one value ----

  /** `-this`. */
  neg(): Expr {
    return node('neg', this);
  }

  /** `|this|`. */
  abs(): Expr {
    return node('abs', this);
  }

  /** -1, 0 or 1. */
  sign(): Expr {
    return node('sign', this);
  }

  /** The square root. */
  sqrt(): Expr {
    return node('sqrt', this);
  }

  /** `1 / sqrt(this)`. */
  rsqrt(): Expr {
    return this.sqrt().reciprocal();
  }

  /** `this * this`. */
  square(): Expr {
    return this.mul(this);
  }

  /** `1 / this`. */
  reciprocal(): Expr {
    return node('reciprocal', this);
  }

  /** `e ** this`. */
  exp(): Expr {
    return node('exp', this);
  }

  /** `e ** this - 1`, exact near 0. */
  expm1(): Expr {
    return node('expm1', this);
  }

  /** The natural logarithm. */
  log(): Expr {
    return node('log', this);
  }

  /** `log(1 + this)`, exact near 0. */
  log1p(): Expr {
    return node('log1p', this);
  }

  /** The hyperbolic tangent. */
  tanh(): Expr {
    return node('tanh', this);
  }

  /** `1 / (1 + exp(-this))`. */
  sigmoid(): Expr {
    return this.neg().exp().add(1).reciprocal();
  }

  /** `log(1 + exp(beta * this)) / beta`, or `this` where `beta * this` is above `threshold`. */
  softplus({ beta = 1, threshold = 20 }: SoftplusOptions = {}): Expr {
    const x = this.mul(beta);
    return where(x.gt(threshold), this, x.exp().log1p().div(beta));
  }

  // ---- bounds ----

  /** The larger of the two; NaN where either is. */
  maximum(other: Operand): Expr {
    return node('maximum', this, other);
  }

  /** The smaller of the two; NaN where either is. */
  minimum(other: Operand): Expr {
    return node('minimum', this, other);
  }

  /** At least `min` and at most `max`, as far as they are given. */
  clamp({ min, max }: { readonly min?: Operand; readonly max?: Operand } = {}): Expr {
    const atLeast = min === undefined ? this : this.maximum(min);
    return max === undefined ? atLeast : atLeast.minimum(max);
  }

  /** At least `min`. */
  clampMin(min: Operand): Expr {
    return this.maximum(min);
  }

  /** At most `max`. */
  clampMax(max: Operand): Expr {
    return this.minimum(max);
  }

  // ---- comparisons ----

  /** `this === other`. */
  eq(other: Operand): Expr {
    return node('eq', this, other);
  }

  /** `this !== other`. */
  ne(other: Operand): Expr {
    return node('ne', this, other);
  }

  /** `this < other`. */
  lt(other: Operand): Expr {
    return node('lt', this, other);
  }

  /** `this <= other`. */
  le(other: Operand): Expr {
    return node('le', this, other);
  }

  /** `this > other`. */
  gt(other: Operand): Expr {
    return node('lt', other, this);
  }

  /** `this >= other`. */
  ge(other: Operand): Expr {
    return node('le', other, this);
  }

  /** Whether neither is 0. */
  logicalAnd(other: Operand): Expr {
    return node('and', this, other);
  }

  /** Whether one is not 0. */
  logicalOr(other: Operand): Expr {
    return node('or', this, other);
  }

  /** Whether it is 0. */
  logicalNot(): Expr {
    return node('not', this);
  }

  // ---- over all elements of the parameter ----

  /** The sum over all elements, one number. */
  sum(): Expr {
    return node('sum', this);
  }

  /** The mean over all elements, one number. */
  mean(): Expr {
    return this.sum().div(new Expr('size', []));
  }

  /** The L2 norm over all elements, one number. */
  norm(): Expr {
    return this.square().sum().sqrt();
  }

  /** @internal JavaScript asks for a number: `1 - mom`, or for a text. */
  [Symbol.toPrimitive](): never {
    throw new ArgumentError(
      'elementwise: an expression is no number, as it is computed later; write mom.rsub(1) for 1 - mom, x.mul(2) for 2 * x, optim.where(x.gt(0), a, b) for x > 0 ? a : b',
    );
  }
}

/** What `Expr.softplus` takes. */
interface SoftplusOptions {
  readonly beta?: Operand;
  readonly threshold?: Operand;
}

function node(code: Code, ...operands: readonly Operand[]): Expr {
  return new Expr(code, operands.map(toExpr));
}

function scaled(value: Operand, factor: Operand): Operand {
  return factor === 1 ? value : node('mul', value, factor);
}

/** Gives an expression as it is, and makes one of a number. */
export function toExpr(value: unknown): Expr {
  if (value instanceof Expr) return value;
  if (typeof value === 'number') return new Expr('constant', [], { value });
  throw new ArgumentError(
    `elementwise: expected a number or an expression, got ${inspect(value, { depth: 0 })}; declare what the function reads, as state or hypers`,
  );
}

/**
 * Makes an expression of a number, whose methods then take it on the left: `expr(0.96).pow(step)`.
 *
 * @throws ArgumentError for what is neither a number nor an expression.
 */
export function expr(value: Operand): Expr {
  return toExpr(value);
}

/** Gives `a` where `condition` is not 0, else `b`. Both are computed. */
export function where(condition: Operand, a: Operand, b: Operand): Expr {
  return node('where', condition, a, b);
}
