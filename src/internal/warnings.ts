import { SecretsError } from '../errors';
import { describeError } from './describe-error';

/** For what nobody listens to: said to the process, so that it is not lost. */
export function warn(error: SecretsError): void {
  process.emitWarning(error.message, { type: 'HotSecretsWarning', code: error.code });
}

/** The error for a listener that threw, or whose promise rejected. */
export function listenerFailure(event: string, error: unknown): SecretsError {
  const what = `a listener of "${event}" failed with ${describeError(error)}`;
  return new SecretsError('LISTENER_FAILED', what, { next: 'The other listeners ran; fix this one.' });
}

/** For listeners of our own, which never fail unless we made a mistake. */
export function warnOfListener(event: string, error: unknown): void {
  warn(listenerFailure(event, error));
}

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
