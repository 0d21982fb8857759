import type { SecureContextOptions } from 'node:tls';
import type { PoolOptions } from 'mysql2';
import { SecretsError } from '../../errors';
import { describeError } from '../../internal/describe-error';
import { hide } from '../../internal/hidden';
import { kindOf } from '../../internal/options';
import { fingerprint } from '../../secret/fingerprint';
import type { PoolCredential } from '../pools/pool-types';
import { assertSpelling } from '../pools/spelling';
import { checkedContext, withoutPfx } from '../tls/secure-context';
import type { ConnectionConfig, Mysql, PoolConfig } from './mysql-internals';
import { copyOf, hideSecrets, logIn } from './mysql-internals';
import { SETTINGS } from './settings';

/** Everything that a login needs, from one generation. */
export interface Credential extends PoolCredential {
  readonly config: PoolConfig;
  /** True if the recipe says which authorities may vouch for the server. */
  readonly trusts: boolean;
  /** Identifies the account on its server. */
  readonly account: string;
  /** Identifies the account with this password. */
  readonly login: string;
}

let credentials = 0;

/**
 * Makes a credential from the options that the recipe of the pool returned.
 * @throws `RECIPE_FAILED`, `OPTION_UNKNOWN`, `CERTIFICATE_MISSING`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`,
 * `CERTIFICATE_CHAIN_BROKEN`, `CERTIFICATE_PURPOSE_WRONG`, `CERTIFICATE_KEY_UNSUPPORTED`.
 */
export function credentialOf(mysql: Mysql, name: string, options: PoolOptions): Credential {
  assertSpelling(name, options, 'mysql2', SETTINGS);
  assertTexts(name, options);
  const config = configOf(mysql, name, options);
  const { connectionConfig } = config;
  const { ssl, host, port, socketPath, user, password } = connectionConfig;
  if (ssl) connectionConfig.ssl = checkedSsl(name, ssl);
  const { passwordSha1 = '' } = connectionConfig as { readonly passwordSha1?: unknown };
  const account = JSON.stringify([host, port, socketPath, user]);
  credentials += 1;
  return {
    id: credentials,
    config,
    trusts: (ssl as { readonly ca?: unknown }).ca !== undefined,
    account,
    login: fingerprint(Buffer.from(`${account}\n${password}\n${passwordSha1}`)),
  };
}

/** Logs in with a credential, outside the pool, runs a query, and logs out again. Rejects with the error of mysql2. */
export async function probe(mysql: Mysql, { config }: Credential, signal: AbortSignal): Promise<void> {
  const connection = new mysql.Connection({ config: withoutPool(config.connectionConfig) });
  connection.on('error', () => {});
  const stop = () => connection.stream.destroy();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    await new Promise<void>((resolve, reject) => {
      logIn(mysql, connection, (error) => (error ? reject(error) : resolve()));
    });
    connection.end();
  } catch (error) {
    connection.stream.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function withoutPool(config: ConnectionConfig): ConnectionConfig {
  const copy = copyOf(config);
  copy.pool = undefined;
  return copy;
}

/** mysql2 would fail with a value that is not a text in the middle of a login. */
function assertTexts(name: string, options: PoolOptions): void {
  const { uri } = options;
  // mysql2 would print parts of a text without a host, as the name of a database.
  if (typeof uri === 'string' && uri !== '' && !/^[a-z][\w+.-]*:\/\//i.test(uri)) {
    throw new SecretsError(
      'RECIPE_FAILED',
      `the recipe of the ${name} returned a \`uri\` that is not an address`,
      {
        next: 'It begins with mysql://. Check that the recipe reads the right secret.',
      },
    );
  }
  for (const setting of ['user', 'password', 'host', 'database', 'uri'] as const) {
    const value: unknown = options[setting];
    if (value === undefined || value === null || typeof value === 'string') continue;
    const what = `the recipe of the ${name} returned \`${setting}\` as ${kindOf(value)}, not as a string`;
    throw new SecretsError('RECIPE_FAILED', what, {
      next: 'Return the text itself: mysql2 calls no function and awaits no promise for it.',
    });
  }
}

/** Lets mysql2 read the options, whose classes for that are not public. A pool opens no connection by itself. */
function configOf(mysql: Mysql, name: string, options: PoolOptions): PoolConfig {
  const { ssl } = options;
  // mysql2 writes into what it is given.
  const own = { ...options, ...(typeof ssl === 'object' && ssl !== null ? { ssl: { ...ssl } } : {}) };
  try {
    const pool = mysql.createPool(own);
    const { config } = pool as unknown as { readonly config: PoolConfig };
    pool.end(() => {});
    hideSecrets(config.connectionConfig);
    return config;
  } catch (error) {
    const what = `mysql2 refuses the options that the recipe of the ${name} returned with ${describeError(error)}`;
    throw new SecretsError('RECIPE_FAILED', what, {
      next: 'Check `uri` (percent-encode special characters), `charset`, and `ssl`, which is an object or the name of a profile.',
    });
  }
}

/**
 * Checks the certificates, turns a PFX into what mysql2 reads, and hides the key from `inspect`. The object is new
 * for each credential: mysql2 resumes TLS sessions only within one.
 */
function checkedSsl(name: string, ssl: object): object {
  const { leaf, secureContext, ...material } = withoutPfx(name, ssl) as SecureContextOptions & Ignored;
  checkedContext(name, material, 'optional');
  const { key, passphrase, ...shown } = material;
  if (key !== undefined) hide(shown, 'key', key);
  if (passphrase !== undefined) hide(shown, 'passphrase', passphrase);
  return shown;
}

/** What mysql2 has no use for. */
interface Ignored {
  readonly leaf?: unknown;
  readonly secureContext?: unknown;
}
