import { isSecretsError, SecretsError, withFacts } from '../../errors';
import { deadline, delay, unrefTimer } from '../../internal/time';
import { type Lookup, lookup } from '../../secret/lookup';
import type { ReadRequest, ReadResult, Source, SourceListener } from '../source';
import { type KeyVaultOptions, readKeyVaultOptions } from './options';
import { PACE_DEFAULTS, Pace } from './pace';
import { type Round, readRound } from './read-vault';
import { Settling } from './settling';
import { VaultClient } from './vault-client';
import { throttled, vaultError } from './vault-errors';

/**
 * Reads the secrets of an Azure Key Vault directly, with one request per secret and the credential of the pod. Needs the
 * package `@azure/keyvault-secrets` and, without the option `credential`, `@azure/identity`. Loads them when the store opens.
 *
 * Errors: `VAULT_…` and `IDENTITY_…`, each with the command that fixes it; `PEER_MISSING`, `PEER_UNSUPPORTED`; `OPTION_INVALID` and
 * `OPTION_UNKNOWN`. Only a secret that the vault does not have may come from the next source. A denied or disabled secret
 * never does, nor does any secret while the vault does not answer.
 *
 * @example
 * ```ts
 * import { keyVault } from 'hot-secrets/key-vault';
 * const secrets = await SecretStore.open({
 *   secrets: { dbPassword: 'database-password' },
 *   sources: [keyVault({ vaultUrl: 'https://shop.vault.azure.net' })],
 * });
 * ```
 */
export function keyVault(options: KeyVaultOptions): Source {
  const { list, concurrency, refreshIntervalMs, startTimeoutMs, refreshTimeoutMs, ...rest } =
    readKeyVaultOptions(options);
  const { vaultUrl, requestTimeoutMs } = rest;
  const pace = new Pace({ ...PACE_DEFAULTS, refreshIntervalMs });
  const settling = new Settling();
  let client: VaultClient | undefined;
  let listener: SourceListener | undefined;
  let cancel = () => {};
  let started = false;
  /** True once values were read. */
  let hasRead = false;

  /** Returns the client. Makes it on the first refresh, because its packages take 200 ms to load. */
  function connected(): VaultClient {
    client ??= new VaultClient({
      ...rest,
      onThrottled: (retryAfterMs) => pace.throttled(Date.now(), retryAfterMs),
    });
    return client;
  }

  function pausedMs(): number {
    return Math.max(0, pace.pausedUntil - Date.now());
  }

  /** Schedules the next hint. Every read replaces the schedule. */
  function schedule(inMs: number, trigger: 'poll' | 'retry'): void {
    cancel();
    if (listener === undefined) return;
    cancel = unrefTimer(inMs, () => {
      schedule(refreshIntervalMs, 'poll');
      listener?.hint(trigger);
    });
  }

  async function read(request: ReadRequest): Promise<ReadResult> {
    if (pausedMs() > 0) {
      schedule(pausedMs(), 'retry');
      throw duringOutage(throttled(vaultUrl));
    }
    // Loads the packages, which must not count as time that the vault takes.
    connected();
    const boundMs = started ? refreshTimeoutMs : startTimeoutMs;
    const bound = deadline(request.signal, boundMs);
    try {
      const refresh = started ? refreshOnce : refreshWithRetries;
      const round = await refresh(request, bound.signal);
      hasRead = true;
      schedule(delayAfter(round), 'poll');
      const unchanged = request.since === round.revision;
      return { unchanged, readings: unchanged ? new Map() : round.readings, revision: round.revision };
    } catch (error) {
      const timedOut = bound.signal.aborted && !isSecretsError(error);
      const known = timedOut
        ? refreshTimeout(vaultUrl, boundMs, started)
        : vaultError(error, { vaultUrl }, requestTimeoutMs);
      schedule(PASSING.has(known.code) ? pace.afterFailure(Date.now()) : pace.afterRefusal(), 'retry');
      throw PASSING.has(known.code) ? duringOutage(known) : known;
    } finally {
      started = true;
      bound.release();
    }
  }

  function duringOutage(error: SecretsError): SecretsError {
    return hasRead ? withFacts(error, { next: `${error.next ?? ''} ${OUTAGE}`.trim() }) : error;
  }

  function delayAfter({ readings }: Round): number {
    const refused = [...readings.values()].some(({ status }) => status === 'failed');
    const usual = started ? pace.afterSuccess() : pace.afterStart();
    return Math.min(settling.nextMs ?? usual, refused ? pace.afterRefusal() : usual);
  }

  /** Retries the first refresh, because a starting process has no earlier values to use. */
  async function refreshWithRetries(request: ReadRequest, signal: AbortSignal): Promise<Round> {
    let last: SecretsError | undefined;
    for (;;) {
      try {
        return await refreshOnce(request, signal);
      } catch (error) {
        if (signal.aborted) throw last ?? error;
        last = vaultError(error, { vaultUrl }, requestTimeoutMs);
        if (!PASSING.has(last.code)) throw last;
        await delay(pace.afterFailure(Date.now()), signal);
      }
    }
  }

  async function refreshOnce({ lookups, list: wanted }: ReadRequest, signal: AbortSignal): Promise<Round> {
    const vault = connected();
    const names = list && wanted ? [...lookups, ...(await listed(vault, lookups, signal))] : lookups;
    const access = { client: vault, vaultUrl, requestTimeoutMs, concurrency, signal };
    const boundMs = started ? refreshTimeoutMs : startTimeoutMs;
    return settling.read({ lookups: names, readRound: () => readRound(names, access), boundMs, signal });
  }

  return {
    name: 'key-vault',
    location: vaultUrl,
    maxStalenessMs: 3 * refreshIntervalMs,
    read,
    async inventory() {
      if (!list || pausedMs() > 0) return [];
      const bound = deadline(new AbortController().signal, requestTimeoutMs);
      return connected().list(bound.signal).finally(bound.release);
    },
    note() {
      if (pausedMs() > 0) return `throttled: requests pause for ${Math.ceil(pausedMs() / 1000)} s`;
      if (settling.held > 0)
        return `secrets are being written: ${settling.held} keep the old value until they rest`;
      return list ? undefined : 'secret names are not listed';
    },
    watch(next) {
      listener = next;
      return () => {
        listener = undefined;
        cancel();
      };
    },
    close() {
      client?.close();
      settling.close();
    },
  };
}

/** What else holds during an outage, once there are values. */
const OUTAGE = 'Values that were read before stay in use, and the source retries.';

/** Errors that may pass without a fix. */
const PASSING: ReadonlySet<string> = new Set([
  'VAULT_THROTTLED',
  'VAULT_UNAVAILABLE',
  'VAULT_TIMEOUT',
  'VAULT_RESPONSE_INVALID',
  'IDENTITY_FAILED',
]);

/** Lists the undeclared secrets of the vault. */
async function listed(
  client: VaultClient,
  declared: readonly Lookup[],
  signal: AbortSignal,
): Promise<Lookup[]> {
  const known = new Set(declared.map(({ vault }) => vault.toLowerCase()));
  const names = await client.list(signal);
  return names.filter((name) => !known.has(name.toLowerCase())).map((name) => lookup(name));
}

function refreshTimeout(vaultUrl: string, boundMs: number, started: boolean): SecretsError {
  const option = started ? 'refreshTimeoutMs' : 'startTimeoutMs';
  return new SecretsError(
    'VAULT_TIMEOUT',
    `refreshing the vault ${vaultUrl} took longer than ${boundMs} ms`,
    {
      source: 'key-vault',
      next: `Raise ${option}, or concurrency if the vault has many secrets.`,
    },
  );
}
