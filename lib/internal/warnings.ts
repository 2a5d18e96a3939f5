const given = new Set<string>();

/** Gives what libtorch warns of as a warning of Node, each text once. */
export function warn(text: string): void {
  if (given.has(text)) return;
  given.add(text);
  process.emitWarning(text, { type: 'TorchWarning', code: 'FASTOPT_TORCH_WARNING' });
}
