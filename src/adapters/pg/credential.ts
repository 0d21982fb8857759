import type { PoolConfig } from 'pg';
import { SecretsError } from '../../errors';
import { describeError, errorCode } from '../../internal/describe-error';
import { loadPeer } from '../../internal/peer';
import { checkedContext } from '../tls/secure-context';
import { abortLogin, type PgModule, refusalOf } from './pg-internals';

/** Everything that a login needs, from one generation. */
export interface Credential {
  /** Unique even within one generation, because the end of a grace window makes another credential. */
  readonly id: number;
  readonly config: PoolConfig;
  /** True if the recipe says which authorities may vouch for the server. */
  readonly trusts: boolean;
}

let credentials = 0;

/**
 * Makes a credential from the options that the recipe of the pool returned.
 * @throws `RECIPE_FAILED`, `CERTIFICATE_MISSING`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`.
 */
export function credentialOf(name: string, config: PoolConfig): Credential {
  const complete = withoutConnectionString(config);
  credentials += 1;
  return { id: credentials, config: withContext(name, complete), trusts: namesAuthorities(complete) };
}

/** Logs in with a credential, outside the pool, runs a query, and logs out again. Rejects with the error of pg. */
export async function probe(pg: PgModule, { config }: Credential, signal: AbortSignal): Promise<void> {
  const Client = (config.Client ?? pg.Client) as PgModule['Client'];
  const client = new Client(config);
  // A socket may still fail after its end, when nothing else listens.
  client.on('error', () => {});
  const stop = () => abortLogin(client);
  signal.addEventListener('abort', stop, { once: true });
  try {
    await client.connect();
    // A pooler in between may accept a login that its server refuses.
    await client.query('select 1');
  } finally {
    signal.removeEventListener('abort', stop);
    void client.end().catch(() => {});
  }
}

/** Describes why a probe failed: `CREDENTIAL_REFUSED`, or `VERIFY_FAILED` for anything that a newer secret does not change. */
export function probeFailure(name: string, error: unknown): SecretsError {
  if (refusalOf(error) !== undefined) return refusal(name, error);
  const code = errorCode(error) ?? '';
  const known = KNOWN_STATES[code];
  const why = known === undefined ? describeError(error) : `SQLSTATE ${code}: ${known}`;
  return new SecretsError('VERIFY_FAILED', `a test login of the ${name} failed with ${why}`, {
    next: 'It is retried; the old credential stays in use.',
  });
}

export function refusal(name: string, error: unknown): SecretsError {
  const what = `the server refuses the credential of the ${name} (${refusalOf(error)})`;
  return new SecretsError('CREDENTIAL_REFUSED', what, {
    next: 'Open connections keep working; new ones wait for a newer credential. Compare the secret with the server.',
  });
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const KNOWN_STATES: Readonly<Record<string, string>> = {
  '53300': 'too many connections for the role, the database or the server',
  '57P03': 'the server does not accept connections now',
  '3D000': 'the database does not exist',
  '42501': 'the role may not connect to the database',
};

/**
 * In pg, `connectionString` overrides the settings next to it. Here the settings win, because the recipe names them on purpose.
 */
function withoutConnectionString(config: PoolConfig): PoolConfig {
  const { connectionString, ...enumerable } = config;
  // The options of a pool hide their password: it is not enumerable.
  const named = config.password === undefined ? enumerable : { ...enumerable, password: config.password };
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

function namesAuthorities({ ssl }: PoolConfig): boolean {
  return typeof ssl === 'object' && (ssl.ca ?? ssl.pfx ?? ssl.secureContext) !== undefined;
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
