function column(name: string): number {
  return Math.max(8, name.length);
}

function line(names: readonly string[], cells: readonly string[]): string {
  return names
    .map((name, i) => (cells[i] ?? '').padEnd(column(name)))
    .join('  ')
    .trimEnd();
}

/** Writes seconds as `mm:ss`, or `h:mm:ss` from an hour on. */
export function formatTime(seconds: number): string {
  const whole = Math.trunc(seconds);
  const [h, m, s] = [Math.trunc(whole / 3600), Math.trunc(whole / 60) % 60, whole % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`;
}

/** Writes the headings of a training table. */
export function formatHeadings(names: readonly string[]): string {
  return line(names, names);
}

/** Writes one row: epoch, what was measured with six decimals, and the time. */
export function formatRow(
  names: readonly string[],
  epoch: number,
  values: readonly (number | undefined)[],
  seconds: number,
): string {
  const measured = values.map((value) => value?.toFixed(6) ?? '');
  return line(names, [String(epoch), ...measured, formatTime(seconds)]);
}
