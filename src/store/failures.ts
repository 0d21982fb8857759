import { SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';

export function closed(): SecretsError {
  return new SecretsError('STORE_CLOSED', 'the store is closed', {
    next: 'Close it after the last use; a snapshot taken before goes on working.',
  });
}

/** For what would be a fault of ours. */
export function defect(error: unknown): SecretsError {
  return new SecretsError('SOURCE_FAILED', `a look failed with ${describeError(error)}`, {
    next: 'The last good values keep serving. Please report this.',
  });
}
