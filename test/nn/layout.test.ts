import { nn, zeros } from '../../lib/index';

test('channels last concerns only what has channels, and gradients with it', () => {
  const model = new nn.Sequential(new nn.Conv2d(2, 3, 2), new nn.Linear(2, 2));
  const [kernel] = model.parameters();
  model
    .getSubmodule('0')
    .forward(zeros([1, 2, 2, 2]))
    .sum()
    .backward();
  model.to({ memoryFormat: 'channels_last' });
  expect(model.parameters().map(({ strides }) => strides)).toEqual([
    [8, 1, 4, 2],
    [1],
    [2, 1],
    [1],
  ]);
  expect(kernel!.grad!.strides).toEqual([8, 1, 4, 2]);
  model.to('float64', { memoryFormat: 'channels_last_3d' });
  model.to({ memoryFormat: 'contiguous' });
  expect(kernel!.strides).toEqual([8, 4, 2, 1]);
  expect(kernel!.dtype).toBe('float64');
});
