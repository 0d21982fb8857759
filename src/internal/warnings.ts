import { SecretsError } from '../errors';
import { describeError } from './describe-error';

/** Reports an error that has no listener as a process warning. */
export function warn(error: SecretsError): void {
  process.emitWarning(error.message, { type: 'HotSecretsWarning', code: error.code });
}

/** Returns the error for a listener that threw or whose promise rejected. */
export function listenerFailure(event: string, error: unknown): SecretsError {
  const what = `a listener of "${event}" failed with ${describeError(error)}`;
  return new SecretsError('LISTENER_FAILED', what, { next: 'Fix this listener. The others ran.' });
}

/** Reports a failure of an internal listener, which only a bug of this package can cause. */
export function warnOfListener(event: string, error: unknown): void {
  warn(listenerFailure(event, error));
}

/** Emits each process warning once, so that many requests cannot flood the log. */
export class SayOnce {
  /** Maximum number of warnings. Messages may contain input from outside, so their number needs a limit. */
  static readonly MAX = 50;
  readonly #said = new Set<string>();

  say(error: SecretsError): void {
    if (this.#said.has(error.message) || this.#said.size >= SayOnce.MAX) return;
    this.#said.add(error.message);
    warn(error);
  }

  /** Allows each warning again, after the cause is gone. */
  clear(): void {
    this.#said.clear();
  }
}
