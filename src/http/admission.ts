import { isSecretsError, SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { bounded } from '../internal/time';
import { SayOnce } from '../internal/warnings';
import type { Authorize, AuthorizeRequest } from './types';

export type Admission = 'admitted' | 'refused' | 'failed';

/** Asks `authorize`, within a bound. Why it failed is said once, until it works again. */
export function admission(
  where: string,
  authorize: Authorize,
  timeoutMs: number,
): (request: AuthorizeRequest) => Promise<Admission> {
  const failures = new SayOnce();
  return async ({ method, url, headers }) => {
    try {
      const asked = (async () => authorize({ method, url, headers }))();
      const verdict = await bounded(asked, timeoutMs, () => late(where, timeoutMs));
      failures.clear();
      return verdict === true ? 'admitted' : 'refused';
    } catch (error) {
      failures.say(isSecretsError(error) ? error : failed(where, error));
      return 'failed';
    }
  };
}

const NEXT = 'Requests are answered with 503, and their sender tries again.';

function failed(where: string, error: unknown): SecretsError {
  const what = `authorize of ${where} failed with ${describeError(error)}`;
  return new SecretsError('LISTENER_FAILED', what, { next: NEXT });
}

function late(where: string, timeoutMs: number): SecretsError {
  return new SecretsError('LISTENER_FAILED', `authorize of ${where} took longer than ${timeoutMs} ms`, {
    next: NEXT,
  });
}
