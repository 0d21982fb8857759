/**
 * Makes a property an accessor that is not enumerable, so that `inspect` does not print its value, even with `showHidden` or
 * `%o`. Reading and assigning it work as before.
 */
export function hide(object: object, property: PropertyKey, value: unknown): void {
  let current = value;
  Object.defineProperty(object, property, {
    configurable: true,
    enumerable: false,
    get: () => current,
    set: (next: unknown) => {
      current = next;
    },
  });
}
