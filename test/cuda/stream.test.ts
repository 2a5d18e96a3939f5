import {
  currentStream,
  defaultStream,
  Event,
  isAvailable,
  Stream,
  synchronize,
} from '../../lib/cuda';
import { ones, randn } from '../../lib/index';
import { onGpu, unavailable, withoutGpu } from '../support/cuda';
import { numbers, thrown } from '../support/tensors';

withoutGpu('streams and events need a GPU, and say so', () => {
  for (const use of [
    () => new Stream(),
    () => new Stream({ device: 0, highPriority: true }),
    () => new Event({ enableTiming: true }),
    () => currentStream(),
    () => defaultStream(0),
  ])
    expect(thrown(use)).toMatchObject(unavailable);
});

test('options that are none are refused by name', () => {
  expect(thrown(() => new Stream({ priority: -1 } as never)).message).toContain(
    "cuda.Stream: unknown option 'priority' (did you mean 'highPriority'?)",
  );
  expect(thrown(() => new Event({ timing: true } as never)).code).toBe('ERR_TORCH_UNKNOWN_OPTION');
});

onGpu('work goes to the stream that runs it, and to the one before afterwards', () => {
  const stream = new Stream();
  expect(stream.equals(defaultStream())).toBe(false);
  expect(currentStream().equals(defaultStream())).toBe(true);
  stream.run(() => {
    expect(currentStream().equals(stream)).toBe(true);
    expect(thrown(() => stream.run(() => Promise.resolve())).code).toBe('ERR_TORCH_ARGUMENT');
  });
  expect(thrown(() => stream.run(() => missing())).message).toBe('missing');
  expect(currentStream().equals(defaultStream())).toBe(true);
});

onGpu('a stream that waits for another sees what it wrote', () => {
  const side = new Stream({ highPriority: true });
  const x = randn([2000, 2000], { device: 'cuda' });
  const wanted = numbers(x.matmul(x).sum());
  side.waitStream(currentStream());
  const y = side.run(() => x.matmul(x));
  x.dispose();
  currentStream().waitStream(side);
  currentStream().recordStream(y);
  expect(numbers(y.sum())).toEqual(wanted);
  side.synchronize();
  expect(side.query()).toBe(true);
});

onGpu('events measure the time of the work between them', () => {
  const [start, end] = [new Event({ enableTiming: true }), new Event({ enableTiming: true })];
  expect(start.query()).toBe(true);
  const x = ones([4096, 4096], { device: 'cuda' });
  synchronize();
  start.record();
  for (let i = 0; i < 20; i++) x.matmul(x);
  end.record();
  end.synchronize();
  expect(end.query()).toBe(true);
  expect(start.elapsedTime(end)).toBeGreaterThan(0.1);
});

onGpu('an event without timing measures none', () => {
  const [start, end] = [new Event(), new Event()];
  start.record();
  end.record();
  synchronize();
  expect(thrown(() => start.elapsedTime(end)).code).toBe('ERR_TORCH');
});

onGpu('streams and events refuse what is none', () => {
  expect(thrown(() => new Event().record({} as never)).message).toContain('expected a cuda.Stream');
  expect(thrown(() => new Event().elapsedTime({} as never)).message).toContain(
    'expected a cuda.Event',
  );
  expect(thrown(() => currentStream().recordStream({} as never)).message).toContain(
    'expected a Tensor',
  );
  expect(isAvailable()).toBe(true);
});

function missing(): never {
  throw new Error('missing');
}
