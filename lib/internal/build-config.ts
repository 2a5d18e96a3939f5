/** What libtorch tells of the CUDA that it was compiled with. */
export interface BuildConfig {
  /** Such as `13.0`; undefined without CUDA. */
  readonly cuda: string | undefined;
  readonly cudnn: string | undefined;
  /** What there is code for: `sm_90` for one kind of GPU, `compute_90` for all from there on. */
  readonly architectures: readonly string[];
}

/** Reads the text of libtorch's own `show_config`. */
export function parseBuildConfig(text: string): BuildConfig {
  const setting = (name: string): string | undefined =>
    new RegExp(`\\b${name}=([\\d.]+)`).exec(text)?.[1];
  const targets = text.matchAll(/code=\[?((?:(?:sm|compute)_\w+,?)+)/g);
  const architectures = Array.from(targets, ([, list = '']) => list.split(',')).flat();
  return {
    cuda: setting('CUDA_VERSION'),
    cudnn: setting('CUDNN_VERSION'),
    architectures: [...new Set(architectures.filter((name) => name !== ''))],
  };
}

/**
 * Tells whether code for `architectures` runs on a GPU of a compute capability: code for the same major version and no
 * later a minor one, or code that the driver compiles for any later GPU.
 */
export function runsOn(
  architectures: readonly string[],
  { major, minor }: { readonly major: number; readonly minor: number },
): boolean {
  return architectures.some((name) => {
    const [, kind, version = '', only] = /^(sm|compute)_(\d+)([a-z]?)$/.exec(name) ?? [];
    const [codeMajor, codeMinor] = [Number(version.slice(0, -1)), Number(version.slice(-1))];
    if (only === 'a') return codeMajor === major && codeMinor === minor;
    if (kind === 'compute') return codeMajor * 10 + codeMinor <= major * 10 + minor;
    return codeMajor === major && codeMinor <= minor;
  });
}
