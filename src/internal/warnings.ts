import { SecretsError } from '../errors';
import { describeError } from './describe-error';

/** Reports what has no listener as a process warning, so that it is not lost. */
export function warn(error: SecretsError): void {
  process.emitWarning(error.message, { type: 'HotSecretsWarning', code: error.code });
}

/** The error for a listener that threw, or whose promise rejected. */
export function listenerFailure(event: string, error: unknown): SecretsError {
  const what = `a listener of "${event}" failed with ${describeError(error)}`;
  return new SecretsError('LISTENER_FAILED', what, { next: 'The other listeners ran; fix this one.' });
}

/** For our own listeners, which fail only through a bug of ours. */
export function warnOfListener(event: string, error: unknown): void {
  warn(listenerFailure(event, error));
}

/** Process warnings, each once: a flood of requests must not fill the log. */
export class SayOnce {
  /** More than there are causes. A limit nevertheless, because part of a message may come from outside. */
  static readonly MAX = 50;
  readonly #said = new Set<string>();

  say(error: SecretsError): void {
    if (this.#said.has(error.message) || this.#said.size >= SayOnce.MAX) return;
    this.#said.add(error.message);
    warn(error);
  }

  /** It works again: later warnings are news. */
  clear(): void {
    this.#said.clear();
  }
}
