import { native } from '../internal/binding';
import { refusePromise, tidy } from './scope';

/** Takes a hook away again. */
export interface HookRemover {
  remove(): void;
}

type Hook = (...args: unknown[]) => unknown;

// Hooks are numbers to the addon, which tells when the graph or module that held one is gone.
const hooks = new Map<number, Hook>();

/** Forgets the hooks whose tensor and graph are gone. */
export function forgetDeadHooks(): void {
  if (hooks.size > 0) for (const dead of native.takeDeadHooks()) hooks.delete(dead);
}

/** Gives a hook its number. */
export function addHook(hook: Hook): number {
  forgetDeadHooks();
  const id = native.newHook();
  hooks.set(id, hook);
  return id;
}

/** Tells whether a backward pass may fire hooks on a GPU. */
export function mayFireOnGpu(): boolean {
  return hooks.size > 0 && native.cudaDeviceCount() > 0;
}

/** Forgets a hook that was taken away. */
export function deleteHook(id: number): void {
  hooks.delete(id);
}

/** Runs a hook; what it makes and does not return is freed. */
export function runHook(id: number, args: () => unknown[]): unknown {
  return tidy(() => refusePromise('a hook', hooks.get(id)?.(...args())) ?? undefined);
}
