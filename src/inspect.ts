/** What `console.log` and `util.inspect` show of the objects that the application gets. */

/** The key of Node's hook for it, the same as `util.inspect.custom`. */
const CUSTOM = Symbol.for('nodejs.util.inspect.custom')

type Inspect = (value: unknown, options: object) => string

/**
 * Makes a class show as `Name { field: value, ... }`, in one short form wherever it is logged. The hook is on the prototype
 * and not enumerable.
 * @param fields the values to show, made when an object is shown
 */
export function showAs<T extends object>(
  type: { readonly prototype: T },
  name: string,
  fields: (object: T) => Readonly<Record<string, unknown>>,
): void {
  const { prototype } = type
  Object.defineProperty(prototype, CUSTOM, {
    value(this: T, depth: number | null, options: object, inspect: Inspect): string {
      // The prototype itself has no values.
      if (this === prototype) return `${name} {}`
      return depth !== null && depth < 0
        ? `[${name}]`
        : `${name} ${inspect(fields(this), { ...options, depth })}`
    },
    configurable: true,
    writable: true,
  })
}
