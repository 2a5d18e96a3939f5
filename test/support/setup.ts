import { backends } from '../../lib/cuda/backends';
import { setDefaultDevice } from '../../lib/tensor/runtime';
import { enterScope, memory, Scope } from '../../lib/tensor/scope';
import { setImmediate } from 'node:timers/promises';
import { testDevice } from './cuda';

// Unless a test says otherwise, it runs on the device of FASTOPT_TEST_DEVICE, to the precision of its dtype.
setDefaultDevice(testDevice);
if (testDevice !== 'cpu') {
  backends.cudnn.allowTf32 = false;
  backends.cudnn.deterministic = true;
}

// Every test runs in a scope of its own and leaves no more tensors than it found.
let root: Scope;
let before: number;

async function settled(): Promise<number> {
  // What a test no longer refers to may need a collection or two.
  for (let round = 0; round < 10 && memory().tensors > before; round++) {
    globalThis.gc?.();
    await setImmediate();
  }
  return memory().tensors;
}

beforeEach(() => {
  before = memory().tensors;
  root = new Scope();
  enterScope(root);
});

afterEach(async () => {
  enterScope(undefined);
  root.dispose();
  expect(await settled()).toBeLessThanOrEqual(before);
});
