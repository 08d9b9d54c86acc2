/** Values that a proxy wraps cannot be posted; recipes are small. */
export function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
