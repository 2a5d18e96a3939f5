import { rmSync } from 'node:fs';
import {
  checkManifest,
  readManifest,
  thisRuntime,
  type Manifest,
} from '../../lib/internal/manifest';
import { Machine } from '../support/machine';

let machine: Machine;
let manifest: Manifest;
beforeEach(() => {
  machine = new Machine();
  const path = machine.libtorch('torch');
  manifest = {
    libtorch: { path, version: '2.13.0+cpu' },
    ...thisRuntime(),
    flags: [],
    sources: 'hash',
  };
});
afterEach(() => machine.remove());

function write(text: string): void {
  machine.file('build/Release/manifest.json', text);
}

describe('readManifest', () => {
  test('reads what a build wrote', () => {
    write(JSON.stringify(manifest));
    machine.file('build/Release/fastopt_torch.node', '');
    expect(readManifest(machine.folder)).toEqual(manifest);
  });

  test('is undefined before a build, and without its addon', () => {
    expect(readManifest(machine.folder)).toBeUndefined();
    write(JSON.stringify(manifest));
    expect(readManifest(machine.folder)).toBeUndefined();
  });

  test('is undefined when the file is damaged', () => {
    write('{');
    machine.file('build/Release/fastopt_torch.node', '');
    expect(readManifest(machine.folder)).toBeUndefined();
  });
});

describe('checkManifest', () => {
  test('agrees to what was built for this Node and a libtorch that is there', () => {
    expect(checkManifest(manifest)).toBeUndefined();
  });

  test('refuses another Node', () => {
    const { node } = thisRuntime();
    expect(checkManifest({ ...manifest, node: 18 })).toBe(
      `it was built for Node 18, and this is Node ${node}`,
    );
  });

  test('refuses another platform', () => {
    expect(checkManifest({ ...manifest, platform: 'plan9-mips' })).toMatch(
      /^it was built for plan9-mips/,
    );
  });

  test('refuses when the libtorch is gone', () => {
    rmSync(manifest.libtorch.path, { recursive: true });
    expect(checkManifest(manifest)).toMatch(/which is gone$/);
  });

  test('refuses when another libtorch lies in its place', () => {
    machine.libtorch('torch', '2.14.1+cpu');
    expect(checkManifest(manifest)).toMatch(/now holds 2\.14\.1\+cpu$/);
  });
});
