import { deviceCount } from '../../lib/cuda';
import {
  Generator,
  getRngState,
  manualSeed,
  randn,
  setRngState,
  type Device,
} from '../../lib/index';
import { onGpu, testDevice } from '../support/cuda';
import { numbers, thrown } from '../support/tensors';

test('manualSeed, getRngState and setRngState hold for the device of the tests', () => {
  const draw = () => numbers(randn([4], { device: testDevice }));
  manualSeed(3);
  const state = getRngState(testDevice);
  const [first, second] = [draw(), draw()];
  expect(first).not.toEqual(second);
  setRngState(state, testDevice);
  expect(draw()).toEqual(first);
  manualSeed(3);
  expect(draw()).toEqual(first);
});

test('a generator draws for tensors of its own device', () => {
  const generator = new Generator({ device: testDevice, seed: 5 });
  const draw = () => numbers(randn([4], { device: testDevice, generator }));
  const first = draw();
  expect(draw()).not.toEqual(first);
  generator.manualSeed(5);
  expect(draw()).toEqual(first);
});

onGpu('one seed is for all devices, and each goes on by itself', () => {
  const devices: Device[] = ['cpu'];
  for (let index = 0; index < deviceCount(); index++) devices.push(`cuda:${index}`);
  manualSeed(11);
  const first = devices.map((device) => numbers(randn([3], { device })));
  manualSeed(11);
  for (let i = devices.length - 1; i >= 0; i--)
    expect(numbers(randn([3], { device: devices[i]! }))).toEqual(first[i]);
});

onGpu('a generator of another device is refused', () => {
  const generator = new Generator({ device: 'cpu' });
  expect(thrown(() => randn([3], { device: 'cuda', generator })).code).toBe('ERR_TORCH');
});
