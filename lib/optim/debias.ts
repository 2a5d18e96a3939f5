import { expr, type Expr, type Operand } from './expression';

/**
 * Returns by what to divide a moving average to undo its start from zero: `damp * (1 - mom ** step) / (1 - mom)`, which
 * is `1 - mom ** step` where `damp` is `1 - mom`.
 *
 * @param mom the share of the old average in each step, from 0 up to but without 1.
 * @param damp the share of the new value: `1 - mom` with dampening, 1 without.
 * @param step how many values the average has seen, from 1.
 * @example
 * ```ts
 * debias(0.9, 1 - 0.9, 1); // 0.1
 * ```
 */
export function debias(mom: number, damp: number, step: number): number;
/** The same of expressions, in an `elementwise` callback: `debias(mom, mom.rsub(1), step)`. */
export function debias(mom: Operand, damp: Operand, step: Operand): Expr;
export function debias(mom: Operand, damp: Operand, step: Operand): Operand {
  if (typeof mom === 'number' && typeof damp === 'number' && typeof step === 'number')
    return (damp * (1 - mom ** step)) / (1 - mom);
  return expr(damp).mul(expr(mom).pow(step).rsub(1)).div(expr(mom).rsub(1));
}
