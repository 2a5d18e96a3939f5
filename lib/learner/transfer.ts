import { currentStream, Stream, type CudaDevice } from '../cuda';
import type { Device } from '../tensor/dtype';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

/** Tensors on a device, or on their way to it. */
export interface Transferred {
  readonly tensors: readonly Tensor[];
  /** Whether one of them is a copy. */
  readonly copied: boolean;
  /** Lets what the device is given from now on wait for the copies; the program goes on. */
  readonly wait: () => void;
}

/** Puts tensors on a device: those that are there already are passed on, copies belong to the innermost scope. */
export type Transfer = (tensors: readonly Tensor[]) => Transferred;

/** Copies at once. */
function plainTransfer(device: Device): Transfer {
  return (tensors) => {
    const moved = tensors.map((each) => (each.device === device ? each : each.to(device)));
    return {
      tensors: moved,
      copied: moved.some((each, i) => each !== tensors[i]),
      wait: () => undefined,
    };
  };
}

function isGpu(device: Device): device is Exclude<CudaDevice, number> {
  return device.startsWith('cuda');
}

/** Copies in a stream of its own, beside what the GPU computes, out of memory that the system doesn't move. */
function cudaTransfer(device: Exclude<CudaDevice, number>): Transfer {
  const stream = new Stream({ device });
  return (tensors) => {
    const copies: Tensor[] = [];
    const copy = (each: Tensor): Tensor => {
      if (each.device === device) return each;
      if (each.device !== 'cpu') return each.to(device);
      const made = tidy(() =>
        (each.isPinned() ? each : each.pinMemory()).to(device, { nonBlocking: true }),
      );
      copies.push(made);
      return made;
    };
    const moved = stream.run(() => tensors.map(copy));
    const copied = stream.recordEvent();
    return {
      tensors: moved,
      copied: copies.length > 0,
      wait: () => {
        const current = currentStream(device);
        current.waitEvent(copied);
        // They were made in the other stream, and must not be reused there before this one is done with them.
        for (const each of copies) current.recordStream(each);
      },
    };
  };
}

/** Chooses the way to a device; without one, tensors stay where they are. */
export function transferTo(device: Device | undefined): Transfer {
  if (device === undefined) return (tensors) => ({ tensors, copied: false, wait: () => undefined });
  return isGpu(device) ? cudaTransfer(device) : plainTransfer(device);
}
