/** `count` secrets named `secret-0`, `secret-1` and so on, with values as long as a password. */
export function manySecrets(count: number, generation = 0): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `secret-${index}`,
      `generation ${generation} of secret ${index}, long as a password`,
    ]),
  );
}

/** Definitions that use each name as its own alias. */
export function definitionsOf(content: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.keys(content).map((name) => [name, name]));
}
