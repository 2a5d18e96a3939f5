import { Graph, graphsAreBuilt, isBuilt } from '../../lib/cuda';
import { keep, ones, randn, tensor } from '../../lib/index';
import { onGpu, unavailable, withoutGpu } from '../support/cuda';
import { numbers, thrown } from '../support/tensors';

withoutGpu('a graph needs a GPU, and says so', () => {
  expect(thrown(() => new Graph())).toMatchObject(unavailable);
});

test('a libtorch without CUDA has no graphs', () => {
  if (!isBuilt()) expect(graphsAreBuilt()).toBe(false);
});

onGpu('a replay reads and writes the tensors of the recording', () => {
  const x = ones([3], { device: 'cuda' });
  using graph = new Graph();
  expect(thrown(() => graph.replay()).message).toContain('expected a graph that was recorded');
  x.mul(2).add(1);
  const y = graph.capture(() => keep(x.mul(2).add(1)));
  x.copy_(tensor([1, 2, 3]));
  graph.replay();
  expect(numbers(y.cpu())).toEqual([3, 5, 7]);
  expect(thrown(() => graph.capture(() => x)).message).toContain('got one that was');
  graph.dispose();
  expect(thrown(() => graph.replay()).code).toBe('ERR_TORCH_DISPOSED');
  y.dispose();
});

onGpu('what cannot be recorded is refused with its own error, and the GPU goes on', () => {
  const x = ones([3], { device: 'cuda' });
  using graph = new Graph();
  expect(thrown(() => graph.capture(() => x.sum().item())).message).toMatch(/captur/);
  // libtorch by itself would refuse random numbers from now on, or keep memory for the recording.
  expect(randn([3], { device: 'cuda' }).shape).toEqual([3]);
  using other = new Graph();
  expect(thrown(() => other.capture(() => Promise.resolve())).code).toBe('ERR_TORCH_ARGUMENT');
  expect(x.sum().item()).toBe(3);
});
