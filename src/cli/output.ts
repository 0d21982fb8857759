/** Where a command writes, and when it ends. */
export interface Output {
  write(text: string): void;
  writeError(text: string): void;
  readonly colors: boolean;
  /** Aborts when the user ends the command. */
  readonly signal: AbortSignal;
}

/** Statuses that a command ends with. */
export const status = {
  ok: 0,
  /** Warnings; a migration that is not done. */
  attention: 1,
  /** Errors; a store that does not open. */
  failed: 2,
  /** Wrong arguments (EX_USAGE of sysexits.h). */
  usage: 64,
} as const;

/** Arguments that a command does not understand. */
export class UsageError extends Error {}

/** File names may contain control characters, which a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`);
}
