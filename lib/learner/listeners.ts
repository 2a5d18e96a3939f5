import type { Callback } from './callback';
import type { EventName } from './events';
import type { Learner } from './learner';

/** Returns the callbacks that events of a training batch reach, in order. */
export function listeners(learn: Learner, events: readonly EventName[]): Callback[] {
  return learn.orderedCbs.filter(
    (cb) => cb.run && cb.runTrain && events.some((event) => cb[event] !== undefined),
  );
}
