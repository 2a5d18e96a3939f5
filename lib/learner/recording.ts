import { currentDevice, Graph, graphsAreBuilt, isAvailable } from '../cuda';
import { keep } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { Learner } from './learner';

/** What was recorded: its outputs stay where they are, and a replay fills them anew. */
export interface Recording {
  readonly outputs: readonly Tensor[];
  readonly replay: () => void;
  readonly dispose: () => void;
}

/** Records the work of a function that returns its outputs, without doing it. */
export type Record = (work: () => readonly Tensor[]) => Recording;

/** Records as a graph of the current GPU. */
export function recordOnGpu(work: () => readonly Tensor[]): Recording {
  const graph = new Graph();
  try {
    const outputs = keep(graph.capture(work));
    return {
      outputs,
      replay: () => {
        graph.replay();
      },
      dispose: () => {
        graph.dispose();
      },
    };
  } catch (error) {
    graph.dispose();
    throw error;
  }
}

/** Tells why there are no graphs here; undefined where there are. */
export function whyNoGraphs({ device }: Learner): string | undefined {
  if (!device?.startsWith('cuda') || !isAvailable())
    return `the model is on ${device ?? 'no device'}, and only a GPU has graphs`;
  if (!graphsAreBuilt()) return "the addon was built without CUDA's headers";
  const current = currentDevice();
  if (device === `cuda:${current}`) return undefined;
  return `the model is on ${device}, and the current GPU is ${current}: call cuda.setDevice`;
}
