/** Makes an instance of `like`'s class (or of `like` itself, a class) by running the constructor of `Base` alone. */
export function construct<T extends object>(
  Base: abstract new (...args: never[]) => object,
  args: unknown[],
  like: object,
): T {
  const Class = typeof like === 'function' ? like : like.constructor;
  return Reflect.construct(Base as new () => object, args, Class as new () => object) as T;
}
