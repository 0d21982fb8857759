import { SecretsError } from '../../errors';
import { assertNumber, rejectUnknownOptions } from '../../internal/options';
import type { KeyVaultEmulatorOptions } from './types';

/** The options with their defaults. */
export type ReadOptions = ReturnType<typeof readOptions>;

const KNOWN = [
  'secrets',
  'name',
  'tenantId',
  'clientId',
  'clientSecret',
  'pageSize',
  'emptyPages',
  'tokenLifetimeMs',
  'rateLimit',
];
const WHERE = 'createKeyVaultEmulator';
const VAULT_NAME = /^[A-Za-z][0-9A-Za-z-]{2,23}$/;
const MOST_ON_A_PAGE = 25;

/** @throws `OPTION_UNKNOWN`, `OPTION_INVALID` */
export function readOptions(options: KeyVaultEmulatorOptions) {
  rejectUnknownOptions(WHERE, options, KNOWN);
  const {
    secrets = {},
    name = 'emulator',
    tenantId = '00000000-0000-4000-8000-000000000001',
    clientId = '00000000-0000-4000-8000-000000000002',
    clientSecret,
    pageSize = MOST_ON_A_PAGE,
    emptyPages = 1,
    tokenLifetimeMs = 3_600_000,
    rateLimit = { perTenSeconds: Number.POSITIVE_INFINITY },
  } = options;
  if (!VAULT_NAME.test(name)) {
    throw new SecretsError('OPTION_INVALID', `${JSON.stringify(name)} cannot be the name of a vault`, {
      next: 'Use 3 to 24 letters, digits and "-", a letter first.',
    });
  }
  assertNumber(WHERE, 'pageSize', pageSize, 1);
  if (pageSize > MOST_ON_A_PAGE) {
    throw new SecretsError('OPTION_INVALID', `pageSize of ${WHERE} is more than ${MOST_ON_A_PAGE}`, {
      next: 'The service has no larger pages.',
    });
  }
  assertNumber(WHERE, 'emptyPages', emptyPages);
  assertNumber(WHERE, 'tokenLifetimeMs', tokenLifetimeMs, 1000);
  rejectUnknownOptions(`rateLimit of ${WHERE}`, rateLimit, ['perTenSeconds']);
  assertNumber(WHERE, 'rateLimit.perTenSeconds', rateLimit.perTenSeconds);
  const vaultHost = `${name.toLowerCase()}.vault.azure.net`;
  return {
    secrets,
    vaultName: name,
    vaultHost,
    vaultUrl: `https://${vaultHost}`,
    tenantId,
    clientId,
    clientSecret,
    paging: { pageSize, emptyPages },
    lifetimeSeconds: Math.floor(tokenLifetimeMs / 1000),
    perTenSeconds: rateLimit.perTenSeconds,
  };
}
