import { SetupError } from '../../lib/setup/error';
import { requireBuildTools, requirePip } from '../../lib/setup/tools';
import { Machine } from '../support/machine';

let machine: Machine;
beforeEach(() => (machine = new Machine()));
afterEach(() => machine.remove());

function buildTools(): void {
  machine.tool('cmake', 'echo cmake version 3.25.1');
  machine.tool('c++', 'exit 0');
  machine.tool('ninja', 'exit 0');
}

describe('requireBuildTools', () => {
  test('passes when all are there', () => {
    buildTools();
    expect(() => requireBuildTools({})).not.toThrow();
  });

  test('names a missing CMake and how to install it', () => {
    expect(() => requireBuildTools({})).toThrow(
      new SetupError(
        'CMake was not found: install it and try again (on Debian or Ubuntu: sudo apt-get install -y cmake)',
      ),
    );
  });

  test('names a CMake that is too old', () => {
    machine.tool('cmake', 'echo cmake version 3.16.3');
    expect(() => requireBuildTools({})).toThrow(
      /^CMake 3\.19 or newer is needed, and this is 3\.16/,
    );
  });

  test('names a missing compiler', () => {
    machine.tool('cmake', 'echo cmake version 4.1.0');
    expect(() => requireBuildTools({})).toThrow(
      /^A C\+\+ compiler was not found.*install -y g\+\+/,
    );
  });

  test('takes the compiler that CXX names', () => {
    machine.tool('cmake', 'echo cmake version 4.1.0');
    machine.tool('make', 'exit 0');
    expect(() => requireBuildTools({ CXX: 'my-c++' })).not.toThrow();
  });

  test('names a missing Ninja or Make', () => {
    machine.tool('cmake', 'echo cmake version 4.1.0');
    machine.tool('clang++', 'exit 0');
    expect(() => requireBuildTools({})).toThrow(
      /^Neither Ninja nor Make was found.*install -y make/,
    );
  });
});

describe('requirePip', () => {
  test('names a missing Python', () => {
    expect(() => requirePip()).toThrow(/^Python 3 was not found.*install -y python3 python3-pip/);
  });

  test('names a missing pip', () => {
    machine.tool('python3', 'test "$1" = -c');
    expect(() => requirePip()).toThrow(/^python3 has no pip.*install -y python3-pip/);
  });

  test('returns the Python that has it', () => {
    machine.tool('python3', 'exit 1');
    machine.tool('python', 'exit 0');
    expect(requirePip()).toBe('python');
  });
});
