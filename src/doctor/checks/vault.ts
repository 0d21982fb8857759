import { lookup as resolveName } from 'node:dns/promises';
import { type RequestOptions, request } from 'node:https';
import { isSecretsError } from '../../errors';
import { errorCode } from '../../internal/describe-error';
import type { Lookup } from '../../secret/lookup';
import type { KeyVaultOptions } from '../../sources/key-vault/options';
import type { Reading } from '../../sources/source';
import { type Finding, finding, findingOf } from '../findings';
import type { System } from '../system';
import type { ServedValue } from './environment';

export interface VaultRequest {
  readonly options: KeyVaultOptions;
  /** Names to request; names that the mount has too are compared. */
  readonly lookups: readonly Lookup[];
  readonly mounted: readonly ServedValue[];
  readonly signal: AbortSignal;
}

export interface CheckedVault {
  readonly findings: readonly Finding[];
  readonly readings: ReadonlyMap<string, Reading>;
}

/** A service retries for longer when it starts; the doctor names the problem. */
const START_MS = 10_000;
const REQUEST_MS = 5_000;
const SKEW_MS = 60_000;
/** The driver polls every 2 minutes, and the provider may cache: a version this new may be under way. */
const UNDER_WAY_MS = 600_000;
/** Exists in no vault. The answer tells whether the identity may read. */
const PROBE: Lookup = { name: 'hot-secrets-doctor', file: '', env: [], vault: 'hot-secrets-doctor' };

/** Resolves the name of the vault, and reads the secrets from it with the identity of this process. */
export async function checkVault(system: System, wanted: VaultRequest): Promise<CheckedVault> {
  const { options, mounted, signal } = wanted;
  const direct = options.agent === undefined && !proxyOf(system);
  const { hostname } = new URL(options.vaultUrl);
  if (direct) {
    const unresolved = await unresolvedName(hostname);
    if (unresolved !== undefined) return { findings: [unresolved], readings: new Map() };
  }
  const findings = proxyOf(system) ? [] : await checkClock(options);
  const { keyVault } = await import('../../sources/key-vault/key-vault');
  const source = keyVault({ startTimeoutMs: START_MS, ...options, list: false });
  try {
    const lookups = wanted.lookups.length > 0 ? wanted.lookups : [PROBE];
    const { readings } = await source.read({ lookups, list: false, since: undefined, signal });
    for (const [name, reading] of readings) {
      if (reading.status === 'failed') {
        findings.push(findingOf(reading.error, { secret: name, place: options.vaultUrl }));
      }
    }
    findings.push(...missingIn(options.vaultUrl, wanted, readings), ...behind(system, mounted, readings));
    return { findings, readings };
  } catch (error) {
    if (!isSecretsError(error)) throw error;
    return { findings: [...findings, findingOf(error, { place: options.vaultUrl })], readings: new Map() };
  } finally {
    await source.close?.();
  }
}

function missingIn(
  vaultUrl: string,
  { lookups, mounted }: VaultRequest,
  readings: ReadonlyMap<string, Reading>,
): Finding[] {
  return lookups.flatMap((one) => {
    if (readings.get(one.name)?.status !== 'missing') return [];
    // A file may have an alias that the vault does not know.
    const level = mounted.some(({ lookup }) => lookup.name === one.name) ? 'note' : undefined;
    const args = { vault: vaultUrl, name: one.vault };
    return [finding('VAULT_SECRET_MISSING', args, { secret: one.name, place: vaultUrl, level })];
  });
}

/** Files whose value is not that of the current version. */
function behind(
  { now }: System,
  mounted: readonly ServedValue[],
  readings: ReadonlyMap<string, Reading>,
): Finding[] {
  return mounted.flatMap(({ secret, lookup, reading }) => {
    const current = readings.get(lookup.name);
    if (current?.status !== 'found') return [];
    const { contentType = '', createdOn } = current.attributes ?? {};
    // The provider writes certificates in another form.
    if (/x-pkcs12|x-pem-file/.test(contentType)) return [];
    if (createdOn !== undefined && now - createdOn.getTime() < UNDER_WAY_MS) return [];
    if (plain(current.bytes) === plain(reading.bytes)) return [];
    const args = { path: reading.origin, name: lookup.vault };
    return [finding('MOUNT_BEHIND_VAULT', args, { secret, place: reading.origin })];
  });
}

function plain(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('latin1')
    .replace(/\r?\n$/, '');
}

async function unresolvedName(host: string): Promise<Finding | undefined> {
  try {
    await resolveName(host);
    return undefined;
  } catch (error) {
    const reason = errorCode(error) ?? 'unknown error';
    return finding('VAULT_NAME_UNRESOLVED', { host, reason }, { place: host });
  }
}

function proxyOf({ environment }: System): boolean {
  return Boolean(environment.HTTPS_PROXY ?? environment.https_proxy ?? environment.ALL_PROXY);
}

/** Compares the clocks: every answer of the vault has its time, also a refusal. */
async function checkClock({ vaultUrl, agent, clientOptions }: KeyVaultOptions): Promise<Finding[]> {
  const before = Date.now();
  const given = (clientOptions as { readonly tlsOptions?: RequestOptions } | undefined)?.tlsOptions;
  const date = await dateOf(vaultUrl, { agent, ...given });
  if (date === undefined) return [];
  const now = Date.now();
  // The answer was written between the two.
  const aheadMs = before > date + 1000 ? before - date : now < date ? now - date : 0;
  if (Math.abs(aheadMs) < SKEW_MS) return [];
  const seconds = Math.round(aheadMs / 1000);
  return [finding('CLOCK_SKEW', { seconds, than: `the vault ${vaultUrl}` }, { place: vaultUrl })];
}

/** The time of an answer; `undefined` if there is none: reading secrets then says why. */
function dateOf(url: string, options: RequestOptions): Promise<number | undefined> {
  return new Promise((resolve) => {
    const asked = request(url, { method: 'GET', timeout: REQUEST_MS, ...options }, (answer) => {
      answer.resume();
      const date = Date.parse(answer.headers.date ?? '');
      resolve(Number.isNaN(date) ? undefined : date);
    });
    asked.on('timeout', () => asked.destroy(new Error('timeout')));
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}
