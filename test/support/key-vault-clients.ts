import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { WorkloadIdentityCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import {
  createKeyVaultEmulator,
  type KeyVaultEmulator,
  type KeyVaultEmulatorOptions,
} from 'hot-secrets/testing';
import { onTestFinished, vi } from 'vitest';

/** The retries of the Azure clients take seconds. */
const retryOptions = { maxRetries: 0 };

const MINUTE_MS = 60_000;

/**
 * Starts an emulator, and closes it when the test ends. Its secrets were written a minute ago: a source waits for pairs that
 * were written just now.
 */
export async function startVault({
  secrets = {},
  ...options
}: KeyVaultEmulatorOptions = {}): Promise<KeyVaultEmulator> {
  const vault = await createKeyVaultEmulator(options);
  onTestFinished(() => vault.close());
  await aMinuteAgo(async () => {
    for (const [name, value] of Object.entries(secrets)) await vault.set(name, value);
  });
  return vault;
}

/** Runs `write` at the time of a minute ago, so that a source takes what it writes to a vault for complete. */
export async function aMinuteAgo(write: () => Promise<unknown>): Promise<void> {
  vi.setSystemTime(Date.now() - MINUTE_MS);
  try {
    await write();
  } finally {
    vi.useRealTimers();
  }
}

/** The real client, with all its checks, signed in with workload identity. */
export function clientOf(vault: KeyVaultEmulator): SecretClient {
  return new SecretClient(vault.vaultUrl, credentialOf(vault), { agent: vault.agent, retryOptions });
}

export function credentialOf({ agent, workloadIdentity }: KeyVaultEmulator): WorkloadIdentityCredential {
  return new WorkloadIdentityCredential({ ...workloadIdentity, agent, retryOptions });
}

/** A token for the vault, or for another resource. */
export async function tokenFor(
  vault: KeyVaultEmulator,
  resource = 'https://vault.azure.net',
): Promise<string> {
  return (await credentialOf(vault).getToken(`${resource}/.default`)).token;
}

export interface RawAnswer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

/** Sends one request without the Azure client. */
export function ask(
  { agent }: KeyVaultEmulator,
  url: string,
  { token, method = 'GET', body }: { token?: string; method?: string; body?: string } = {},
): Promise<RawAnswer> {
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    'x-ms-client-request-id': 'of-the-client',
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, body: text && JSON.parse(text) }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Name, codes and status of the error of a call. Only the inner code tells one 403 from another. */
export async function failureOf(call: Promise<unknown>): Promise<Record<string, unknown>> {
  const error = await call.then(
    () => {
      throw new Error('The call did not fail.');
    },
    (reason) => reason,
  );
  const inner = error.details?.error?.innerError?.code;
  return {
    name: error.name,
    code: error.code,
    status: error.statusCode,
    ...(inner === undefined ? {} : { inner }),
  };
}
