import { inspect } from 'node:util';
import * as rdsSigner from '@aws-sdk/rds-signer';
import { SecretStore, type SecretsError, type Source } from 'hot-secrets';
import {
  type EntraTokenOptions,
  entraScopes,
  entraToken,
  type RdsTokenOptions,
  rdsToken,
} from 'hot-secrets/tokens';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startVault } from '../support/key-vault-clients';
import { waitFor } from '../support/wait-for';

const HOUR_MS = 3_600_000;
const MARKER = 'leak-marker-value';

async function open(source: Source) {
  const store = await SecretStore.open({ secrets: { dbToken: 'db-token' }, sources: [source] });
  onTestFinished(() => store.close());
  return store;
}

/** The error that a store rejects with. It holds no value. */
async function rejection(source: Source): Promise<SecretsError> {
  const error = (await open(source).then(
    () => expect.unreachable('the store opened'),
    (rejected: unknown) => rejected,
  )) as SecretsError;
  expect(inspect(error, { showHidden: true }) + error.stack).not.toContain(MARKER);
  return error;
}

const claimsOf = (jwt: string) =>
  JSON.parse(Buffer.from(jwt.split('.')[1] as string, 'base64url').toString());

describe('entraToken', () => {
  const { scope } = { scope: entraScopes.postgresql };

  it('gets a token for its scope with the workload identity, and replaces it three times before its end', async () => {
    const { agent, workloadIdentity, ...vault } = await startVault({ tokenLifetimeMs: 3_000 });
    const store = await open(entraToken('db-token', { scope, agent, workloadIdentity }));
    const claims = claimsOf(store.reveal('dbToken'));
    expect(claims.aud).toBe('https://ossrdbms-aad.database.windows.net');
    const tokens = new Set<string>();
    const ends: number[] = [];
    store.watch('dbToken', (box) => {
      tokens.add(box.reveal());
      ends.push((box.attributes.expiresOn as Date).getTime() - Date.now());
    });
    await waitFor(() => tokens.size > 3, { what: 'three rotations' });
    expect(Math.min(...ends)).toBeGreaterThan(0);
    // Its client counts in whole seconds.
    expect(Math.max(...ends)).toBeLessThanOrEqual(4_000);
    expect(store.health()).toMatchObject({ status: 'ok', expiries: [{ name: 'dbToken', what: 'secret' }] });
    await store.close();
    await waitFor(() => vault.openSockets === 0, { what: 'the connections to close' });
  });

  it('explains a refused identity at once, and names itself as the source', async () => {
    const { agent, workloadIdentity, projectToken } = await startVault();
    await projectToken({ subject: 'system:serviceaccount:other:app' });
    expect(await rejection(entraToken('db-token', { scope, agent, workloadIdentity }))).toMatchObject({
      code: 'IDENTITY_SUBJECT_UNKNOWN',
      secret: 'dbToken',
      source: 'entra-token',
    });
  });

  it('takes a credential, and asks it for the scope', async () => {
    const asked: unknown[] = [];
    const credential = {
      async getToken(scopes: string | string[]) {
        asked.push(scopes);
        return { token: 'of-the-credential', expiresOnTimestamp: Date.now() + HOUR_MS };
      },
    };
    const store = await open(entraToken('db-token', { scope: entraScopes.redis, credential }));
    expect(store.reveal('dbToken')).toBe('of-the-credential');
    expect(asked).toEqual(['https://redis.azure.com/.default']);
  });

  it.each([
    ['null', (): Promise<null> => Promise.resolve(null), 'IDENTITY_FAILED'],
    [
      'an error with a value in its message',
      (): Promise<never> => Promise.reject(new Error(MARKER)),
      'IDENTITY_FAILED',
    ],
    ['no token', async () => ({ token: '', expiresOnTimestamp: Date.now() + HOUR_MS }), 'TOKEN_INVALID'],
    ['no end', async () => ({ token: MARKER }), 'TOKEN_INVALID'],
    ['a date as end', async () => ({ token: MARKER, expiresOnTimestamp: new Date() }), 'TOKEN_INVALID'],
    [
      'seconds as end',
      async () => ({ token: MARKER, expiresOnTimestamp: Date.now() / 1_000 }),
      'TOKEN_INVALID',
    ],
    ['nothing in time', () => new Promise(() => {}), 'TOKEN_TIMEOUT'],
  ] as const)('refuses a credential that returns %s', async (_, getToken, code) => {
    const credential = { getToken } as unknown as EntraTokenOptions['credential'];
    const error = await rejection(entraToken('db-token', { scope, credential, startTimeoutMs: 500 }));
    expect(error).toMatchObject({ code, source: 'entra-token' });
  });

  it('says which module was passed when it lacks credentials', async () => {
    const error = await rejection(entraToken('db-token', { scope, identity: {} as never }));
    expect(error).toMatchObject({
      code: 'PEER_UNSUPPORTED',
      what: expect.stringContaining('@azure/identity'),
    });
  });

  it.each([
    ['no alias', [{ scope }], 'OPTION_INVALID', 'the first argument of entraToken must be the alias'],
    ['no options', ['db-token'], 'OPTION_INVALID', '`scope` must be a non-empty string'],
    [
      'a resource as scope',
      ['db-token', { scope: 'https://redis.azure.com' }],
      'OPTION_INVALID',
      'not a scope',
    ],
    ['a list of scopes', ['db-token', { scope: [scope] }], 'OPTION_INVALID', 'not an array'],
    [
      'a token as credential',
      ['db-token', { scope, credential: MARKER }],
      'OPTION_INVALID',
      'a `getToken` method',
    ],
    [
      'a misspelt option',
      ['db-token', { scope, workloadidentity: {} }],
      'OPTION_UNKNOWN',
      'workloadidentity',
    ],
    [
      'a misspelt identity',
      ['db-token', { scope, workloadIdentity: { clientID: 'x' } }],
      'OPTION_UNKNOWN',
      'entraToken.workloadIdentity',
    ],
  ])('refuses %s', (_, args, code, what) => {
    const call = () => entraToken(...(args as unknown as Parameters<typeof entraToken>));
    expect(call).toThrow(expect.objectContaining({ code, what: expect.stringContaining(what) }));
    expect(call).not.toThrow(MARKER);
  });
});

describe('rdsToken', () => {
  const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: MARKER };
  const options = {
    hostname: 'orders.abc.eu-west-1.rds.amazonaws.com',
    port: 5432,
    username: 'app',
    region: 'eu-west-1',
  };

  it('signs a token that lasts 15 minutes', async () => {
    const store = await open(rdsToken('db-token', { ...options, credentials }));
    const token = store.reveal('dbToken');
    expect(token).toMatch(/^orders\.abc\.eu-west-1\.rds\.amazonaws\.com:5432\/\?Action=connect&DBUser=app&/);
    expect(token).not.toContain(MARKER);
    const left = (store.get('dbToken').attributes.expiresOn as Date).getTime() - Date.now();
    expect(left).toBeGreaterThan(890_000);
    expect(left).toBeLessThanOrEqual(900_000);
    expect(store.report().sources[0]).toMatchObject({
      source: 'rds-token',
      location: `${options.hostname}:5432`,
    });
  });

  it('takes the module as an option', async () => {
    const store = await open(rdsToken('db-token', { ...options, credentials, rdsSigner }));
    expect(store.has('dbToken')).toBe(true);
  });

  it('reports credentials of AWS that fail, without their message', async () => {
    const failing = async () => {
      throw Object.assign(new Error(MARKER), { name: 'CredentialsProviderError' });
    };
    const error = await rejection(
      rdsToken('db-token', { ...options, credentials: failing, startTimeoutMs: 300 }),
    );
    expect(error).toMatchObject({
      code: 'TOKEN_FAILED',
      what: expect.stringContaining('CredentialsProviderError'),
    });
    expect(error.next).toContain('aws sts get-caller-identity');
  });

  it('reports a region that is missing', async () => {
    for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE']) vi.stubEnv(name, undefined);
    vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null');
    const { region: _, ...rest } = options;
    const error = await rejection(rdsToken('db-token', { ...rest, credentials, startTimeoutMs: 300 }));
    expect(error).toMatchObject({ code: 'TOKEN_FAILED', next: expect.stringContaining('a region') });
  });

  it.each([
    ['a module without a signer', {} as never, 'PEER_UNSUPPORTED'],
    [
      'a signer that returns something else',
      {
        Signer: class {
          getAuthToken = async () => MARKER;
        },
      },
      'TOKEN_INVALID',
    ],
    [
      'a signer that returns nothing',
      {
        Signer: class {
          getAuthToken = async () => undefined;
        },
      },
      'TOKEN_INVALID',
    ],
    [
      'a signer that does not answer',
      {
        Signer: class {
          getAuthToken = () => new Promise(() => {});
        },
      },
      'TOKEN_TIMEOUT',
    ],
  ])('refuses %s', async (_, given, code) => {
    const source = rdsToken('db-token', {
      ...options,
      rdsSigner: given,
      startTimeoutMs: 400,
      requestTimeoutMs: 100,
    });
    expect(await rejection(source)).toMatchObject({ code, secret: 'dbToken', source: 'rds-token' });
  });

  it.each([
    ['no alias', [options], 'OPTION_INVALID', 'the first argument of rdsToken must be the alias'],
    ['no host', ['db-token', { ...options, hostname: undefined }], 'OPTION_INVALID', '`hostname` must be'],
    [
      'a host with its port',
      ['db-token', { ...options, hostname: 'orders:5432' }],
      'OPTION_INVALID',
      'without scheme and port',
    ],
    [
      'a URL as host',
      ['db-token', { ...options, hostname: 'postgres://orders' }],
      'OPTION_INVALID',
      'without scheme and port',
    ],
    ['no port', ['db-token', { ...options, port: undefined }], 'OPTION_INVALID', '`port` must be'],
    ['a port as text', ['db-token', { ...options, port: '5432' }], 'OPTION_INVALID', 'not a string'],
    ['no user', ['db-token', { ...options, username: '' }], 'OPTION_INVALID', '`username` must be'],
    ['the user of pg', ['db-token', { ...options, user: 'app' }], 'OPTION_UNKNOWN', 'no option "user"'],
  ])('refuses %s', (_, args, code, what) => {
    const call = () => rdsToken(...(args as unknown as [string, RdsTokenOptions]));
    expect(call).toThrow(expect.objectContaining({ code, what: expect.stringContaining(what) }));
  });
});
