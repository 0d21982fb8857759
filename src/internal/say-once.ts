import type { SecretsError } from '../errors';
import { warn } from './warnings';

/** Process warnings, each once: whoever sends many requests must not fill the log. */
export class SayOnce {
  /** More than there are causes; a limit all the same, since part of a message may come from outside. */
  static readonly MOST = 50;
  readonly #said = new Set<string>();

  say(error: SecretsError): void {
    if (this.#said.has(error.message) || this.#said.size >= SayOnce.MOST) return;
    this.#said.add(error.message);
    warn(error);
  }

  /** It works again: what comes after this is news. */
  clear(): void {
    this.#said.clear();
  }
}
