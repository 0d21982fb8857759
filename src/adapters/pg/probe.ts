import { SecretsError } from '../../errors';
import { describeError, errorCode } from '../../internal/describe-error';
import { certificateAlert } from '../tls/alert';
import { abortLogin, isRefusal, type PgModule } from './pg-internals';
import type { Credential } from './recipe';

/**
 * Logs in once with a credential, outside the pool, and out again.
 * @throws `CREDENTIAL_REFUSED` for SQLSTATE 28P01 and 28000 and a refused certificate, `VERIFY_FAILED` for everything else.
 */
export async function probe(
  Client: PgModule['Client'],
  name: string,
  { config }: Credential,
  signal: AbortSignal,
): Promise<void> {
  const client = new Client(config);
  // After its end a socket may still fail; nobody else listens.
  client.on('error', () => {});
  const stop = () => abortLogin(client);
  signal.addEventListener('abort', stop, { once: true });
  try {
    await client.connect();
  } catch (error) {
    throw isRefusal(error) ? refusal(name, error) : unreachable(name, error);
  } finally {
    signal.removeEventListener('abort', stop);
    void client.end().catch(() => {});
  }
}

export function refusal(name: string, error: unknown): SecretsError {
  const alert = certificateAlert(error);
  const why =
    alert === undefined ? `SQLSTATE ${errorCode(error)}` : `TLS alert ${alert} about its certificate`;
  const what = `the server refuses the credential of the ${name} (${why})`;
  return new SecretsError('CREDENTIAL_REFUSED', what, {
    next: 'Connections that are open go on; new ones wait for a newer credential. Compare the secret with the server.',
  });
}

function unreachable(name: string, error: unknown): SecretsError {
  const what = `a test login of the ${name} failed with ${describeError(error)}`;
  return new SecretsError('VERIFY_FAILED', what, {
    next: 'It is tried again; the old credential stays in use.',
  });
}
