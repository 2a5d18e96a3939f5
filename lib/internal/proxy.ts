/** Makes an object whose properties are looked up by `get`, called as `target` is called. */
export function proxyOf<T extends object>(target: object, get: (key: string) => unknown): T {
  return new Proxy(target, {
    get: (_, key, receiver) =>
      typeof key === 'symbol' ? (Reflect.get(target, key, receiver) as unknown) : get(key),
  }) as T;
}
