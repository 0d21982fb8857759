/** `count` secrets, `secret-0` to the last, with values of a password's length. */
export function manySecrets(count: number, generation = 0): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `secret-${index}`,
      `generation ${generation} of secret ${index}, long as a password`,
    ]),
  );
}

/** Definitions that read each name under its own alias. */
export function definitionsOf(content: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.keys(content).map((name) => [name, name]));
}
