/** Makes an object with properties of these names, and no other, which are read by `get` and written by `set`. */
export function accessors<Name extends string, T>(
  names: readonly Name[],
  get: (name: Name) => T,
  set: (name: Name, value: unknown) => void,
): Record<Name, T> {
  const object = {} as Record<Name, T>;
  for (const name of names) {
    Object.defineProperty(object, name, {
      enumerable: true,
      get: () => get(name),
      set: (value: unknown) => {
        set(name, value);
      },
    });
  }
  return Object.seal(object);
}
