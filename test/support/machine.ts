import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A folder for one test, removed after it; `PATH` is its `bin/` alone, so that only the tools put there exist. */
export class Machine {
  readonly folder = mkdtempSync(join(tmpdir(), 'fastopt-'));
  readonly #path = process.env.PATH;

  constructor() {
    this.file('bin/.keep', '');
    process.env.PATH = join(this.folder, 'bin');
    delete process.env.FASTOPT_LIBTORCH;
    delete process.env.LIBTORCH;
  }

  file(path: string, content: string): string {
    const full = join(this.folder, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
    return full;
  }

  /** Puts a shell script on the `PATH`. */
  tool(name: string, script: string): void {
    chmodSync(this.file(`bin/${name}`, `#!/bin/sh\nPATH=/usr/bin:/bin\n${script}\n`), 0o755);
  }

  /** Makes a folder look like a libtorch of this version. */
  libtorch(path: string, version = '2.13.0+cpu'): string {
    this.file(`${path}/include/ATen/ATen.h`, '');
    this.file(`${path}/lib/libtorch_cpu.so`, '');
    this.file(`${path}/version.py`, `__version__ = '${version}'\n`);
    return join(this.folder, path);
  }

  remove(): void {
    process.env.PATH = this.#path;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
