import type { PoolConfig } from 'pg';
import { SecretsError } from '../../errors';
import { describeError, errorCode } from '../../internal/describe-error';
import { loadPeer } from '../../internal/peer';
import { certificateAlert } from '../tls/alert';
import { checkedContext } from '../tls/secure-context';
import { abortLogin, isRefusal, type PgModule } from './pg-internals';

/** Everything that a login needs, from one generation. */
export interface Credential {
  /** Unique even within one generation, because the end of a grace window makes another credential. */
  readonly id: number;
  readonly config: PoolConfig;
}

let credentials = 0;

/**
 * Makes a credential from the options that the recipe of the pool returned.
 * @throws `RECIPE_FAILED`, `CERTIFICATE_MISSING`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`,
 * `CERTIFICATE_CHAIN_BROKEN`, `CERTIFICATE_PURPOSE_WRONG`, `CERTIFICATE_KEY_UNSUPPORTED`.
 */
export function credentialOf(name: string, config: PoolConfig): Credential {
  const complete = withoutConnectionString(config);
  credentials += 1;
  return { id: credentials, config: withContext(name, complete) };
}

/**
 * Logs in once with a credential, outside the pool, and out again.
 * @throws `CREDENTIAL_REFUSED` for SQLSTATE 28P01 and 28000 and a refused certificate, `VERIFY_FAILED` for anything else.
 */
export async function probe(
  Client: PgModule['Client'],
  name: string,
  { config }: Credential,
  signal: AbortSignal,
): Promise<void> {
  const client = new Client(config);
  // A socket may still fail after its end, when nothing else listens.
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
    next: 'Open connections keep working; new ones wait for a newer credential. Compare the secret with the server.',
  });
}

function unreachable(name: string, error: unknown): SecretsError {
  const what = `a test login of the ${name} failed with ${describeError(error)}`;
  return new SecretsError('VERIFY_FAILED', what, {
    next: 'It is retried; the old credential stays in use.',
  });
}

/**
 * In pg, `connectionString` overrides the settings next to it. Here the settings win, because the recipe names them on purpose.
 */
function withoutConnectionString({ connectionString, ...named }: PoolConfig): PoolConfig {
  if (connectionString === undefined) return named;
  const parser = loadPeer<{ parse(text: string): object }>('pg-connection-string', 'pg');
  let parsed: object;
  try {
    parsed = parser.parse(connectionString);
  } catch (error) {
    throw new SecretsError('RECIPE_FAILED', `connectionString cannot be parsed: ${describeError(error)}`, {
      next: 'Percent-encode the special characters, or give host, user and password one by one.',
    });
  }
  const given = Object.entries(named).filter(([, value]) => value !== undefined);
  return { ...dropEmpty(parsed), ...Object.fromEntries(given) };
}

function dropEmpty(parsed: object): PoolConfig {
  return Object.fromEntries(
    Object.entries(parsed).filter(([, value]) => value !== null && value !== undefined),
  );
}

/**
 * Moves the private parts of `ssl` into a context, which prints nothing. pg hides only the key, not a PFX or a passphrase, and
 * `inspect` shows all of them in the options of each socket.
 */
function withContext(name: string, config: PoolConfig): PoolConfig {
  const { ssl } = config;
  if (typeof ssl !== 'object' || ssl === null) return config;
  const { key, pfx, passphrase, secureContext = checkedContext(name, ssl, 'optional'), ...shown } = ssl;
  return { ...config, ssl: { ...shown, secureContext } };
}
