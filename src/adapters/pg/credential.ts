import type { PoolConfig } from 'pg';
import { SecretsError } from '../../errors';
import { describeError, errorCode } from '../../internal/describe-error';
import { hide } from '../../internal/hidden';
import { PEERS } from '../../internal/peer';
import { credentialRefused, testLoginFailed } from '../pools/failures';
import type { PoolCredential } from '../pools/pool-types';
import { checkedContext } from '../tls/secure-context';
import { abortLogin, type PgModule, refusalOf } from './pg-internals';

/** Everything that a login needs, from one generation. */
export interface Credential extends PoolCredential {
  readonly config: PoolConfig;
  /** True if the recipe says which authorities may vouch for the server. */
  readonly trusts: boolean;
}

let credentials = 0;

/**
 * Makes a credential from the options that the recipe of the pool returned.
 * @throws `RECIPE_FAILED`, `CERTIFICATE_MISSING`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`,
 * `CERTIFICATE_CHAIN_BROKEN`, `CERTIFICATE_PURPOSE_WRONG`, `CERTIFICATE_KEY_UNSUPPORTED`, `PEER_UNSUPPORTED`.
 */
export function credentialOf(Client: PgModule['Client'], name: string, config: PoolConfig): Credential {
  const complete = withoutConnectionString(Client, config);
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
  return testLoginFailed(name, known === undefined ? describeError(error) : `SQLSTATE ${code}: ${known}`);
}

export function refusal(name: string, error: unknown): SecretsError {
  return credentialRefused(name, refusalOf(error));
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
 * A client of pg parses the string, because the rules for `sslmode` differ between versions of pg. It opens no connection.
 */
function withoutConnectionString(Client: PgModule['Client'], config: PoolConfig): PoolConfig {
  const { connectionString, ...enumerable } = config;
  // The options of a pool hide their password: it is not enumerable.
  const named = config.password === undefined ? enumerable : { ...enumerable, password: config.password };
  if (connectionString === undefined) return named;
  assertAddress(connectionString);
  let read: object | undefined;
  try {
    // Not `ssl` itself: pg changes the object that it is given.
    const ssl = named.ssl === undefined ? {} : { ssl: named.ssl !== false };
    const client: object = new Client({ connectionString, ...ssl });
    read = (client as { connectionParameters?: object }).connectionParameters;
  } catch (error) {
    throw new SecretsError('RECIPE_FAILED', `connectionString cannot be parsed: ${describeError(error)}`, {
      next: 'Percent-encode the special characters, or give host, user and password one by one.',
    });
  }
  if (read === undefined) throw clientUnsupported();
  const given = Object.entries(named).filter(([, value]) => value !== undefined);
  return { ...settingsOf(read, connectionString), ...Object.fromEntries(given) };
}

/**
 * pg takes a text without a scheme for the name of a database, which it prints. A password, or a string that lost its
 * beginning, must not end up there.
 */
function assertAddress(connectionString: unknown): void {
  if (typeof connectionString !== 'string' || ADDRESS.test(connectionString)) return;
  throw new SecretsError('RECIPE_FAILED', 'connectionString is not an address', {
    next: 'It begins with postgres:// or with the path of a socket. Check that the recipe reads the right secret.',
  });
}

/** `SCHEME://`, `socket:PATH`, a path, or a database with parameters. */
const ADDRESS = /^([a-z][\w+.-]*:\/\/|socket:|\/|[\w.-]*\?|$)/i;

/** What pg derives from other settings, or reads elsewhere. */
const DERIVED = new Set(['isDomainSocket', 'connect_timeout', 'keepalives', 'keepalives_idle']);

/** The settings that a client read, those that it hides from `inspect` included. */
function settingsOf(read: object, connectionString: string): PoolConfig {
  const settings = Object.getOwnPropertyNames(read)
    .map((name) => [name, (read as Record<string, unknown>)[name]] as const)
    .filter(([name, value]) => !DERIVED.has(name) && value !== undefined && value !== null);
  const { database, ...others } = Object.fromEntries(settings) as PoolConfig;
  // A database without a name is that of the user, whom a setting next to the string may name.
  const isDefault = database === others.user && !namesDatabase(connectionString);
  return isDefault || database === undefined ? others : { ...others, database };
}

/** `SCHEME://HOST/DATABASE`, `socket:PATH?db=DATABASE`, or `/PATH DATABASE`. */
function namesDatabase(connectionString: string): boolean {
  if (connectionString.startsWith('/')) return connectionString.includes(' ');
  if (connectionString.startsWith('socket:')) return /[?&]db=./.test(connectionString);
  const [, path] = /^(?:[a-z][\w+.-]*:)?(?:\/\/[^/?#]*)?\/?([^?#]*)/i.exec(connectionString) ?? [];
  return path !== '';
}

function clientUnsupported(): SecretsError {
  return new SecretsError('PEER_UNSUPPORTED', 'the Client of this pg has no connectionParameters', {
    next: `Use pg ${PEERS.pg} or newer, or give host, user and password one by one.`,
  });
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

/** Sets `pool.options`, which ORMs read. Like pg-pool, it keeps the password out of printed options. */
export function applyTo(options: PoolConfig, { config }: Credential): void {
  const { password, max, min, idleTimeoutMillis, connectionTimeoutMillis, ...rest } = config;
  Object.assign(options, rest);
  hide(options, 'password', password);
}

/** pg only makes it not enumerable, and `%o` prints such properties. */
export function hidePassword(holder: { readonly password?: unknown } | undefined): void {
  if (holder?.password !== undefined) hide(holder, 'password', holder.password);
}
