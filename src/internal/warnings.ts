import { SecretsError } from '../errors';
import { describeError } from './describe-error';

/** For what nobody listens to: said to the process, so that it is not lost. */
export function warn(error: SecretsError): void {
  process.emitWarning(error.message, { type: 'HotSecretsWarning', code: error.code });
}

/** The error for a listener that threw, or whose promise rejected. */
export function listenerFailure(event: string, error: unknown): SecretsError {
  const what = `a listener of "${event}" failed with ${describeError(error)}`;
  return new SecretsError('LISTENER_FAILED', what, { next: 'The other listeners ran; mend this one.' });
}
