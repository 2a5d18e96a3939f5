import type { Tensor } from '../tensor/tensor';
import type { Hyper } from './types';

/** What a summary is made of. */
export interface Summarized {
  readonly paramLists: readonly (readonly Tensor[])[];
  readonly hypers: readonly Hyper[];
  /** Groups before this one are frozen. */
  readonly frozenIdx: number;
  readonly state: { get(p: Tensor): { readonly do_wd?: boolean; readonly force_train?: boolean } };
}

const grouped = (count: number): string => count.toLocaleString('en-US');

function sizeOf(params: readonly Tensor[]): number {
  return params.reduce((sum, p) => sum + p.numel, 0);
}

// "frozen but 2" where some parameters of a frozen group are trained nevertheless.
function describeTraining(group: readonly Tensor[], frozen: boolean, opt: Summarized): string {
  if (!frozen) return 'yes';
  const forced = group.filter((p) => opt.state.get(p).force_train).length;
  return forced === 0 ? 'frozen' : `frozen but ${forced}`;
}

function formatNumber(value: number | undefined): string {
  return value === undefined ? '-' : String(Number(value.toPrecision(6)));
}

/** Writes rows as columns; all to the left, or all but the first to the right. */
export function formatTable(
  rows: readonly (readonly string[])[],
  align: 'left' | 'right' = 'right',
): string {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const pad = (cell: string, column: number): string =>
    column === 0 || align === 'left'
      ? cell.padEnd(widths[column] ?? 0)
      : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

/** Lists the groups: how many tensors and numbers, trained or frozen, how many without decay, every hyper-parameter. */
export function summarize(opt: Summarized): string {
  const { paramLists, hypers, frozenIdx, state } = opt;
  const names = [...new Set(['lr', 'wd', ...hypers.flatMap(Object.keys)])].filter((name) =>
    hypers.some((hyper) => name in hyper),
  );
  const rows = paramLists.map((group, i) => [
    String(i),
    grouped(group.length),
    grouped(sizeOf(group)),
    describeTraining(group, i < frozenIdx, opt),
    grouped(group.filter((p) => state.get(p).do_wd === false).length),
    ...names.map((name) => formatNumber(hypers[i]?.[name])),
  ]);
  const all = paramLists.flat();
  const trained = paramLists.flatMap((group, i) =>
    i < frozenIdx ? group.filter((p) => state.get(p).force_train) : group,
  );
  return [
    formatTable([['group', 'tensors', 'parameters', 'trained', 'no decay', ...names], ...rows]),
    `${grouped(sizeOf(all))} parameters in ${grouped(all.length)} tensors, ${grouped(sizeOf(trained))} of them trained`,
  ].join('\n');
}
