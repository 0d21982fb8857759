import { SecretsError } from '../../errors';

/** A test login failed for a reason that a newer secret does not change. */
export function testLoginFailed(name: string, why: string): SecretsError {
  return new SecretsError('VERIFY_FAILED', `a test login of the ${name} failed with ${why}`, {
    next: 'It is retried; the old credential stays in use.',
  });
}

/** `why`: how the server refuses the credential, or the client the server. */
export function credentialRefused(name: string, why: string | undefined): SecretsError {
  return new SecretsError('CREDENTIAL_REFUSED', `the server refuses the credential of the ${name} (${why})`, {
    next: 'Open connections keep working; new ones wait for a newer credential. Compare the secret with the server.',
  });
}
