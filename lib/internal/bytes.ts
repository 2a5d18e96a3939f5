/** The units in which sizes are written, each 1024 of the one before. */
export const byteUnits = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Writes a number of bytes as `1.50 GiB`. */
export function formatBytes(bytes: number): string {
  const power =
    bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), byteUnits.length - 1);
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 2)} ${byteUnits[power]}`;
}
