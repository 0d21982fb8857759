import { isSecretsError, SecretsError } from '../../errors';
import { deadline, delay, unrefTimer } from '../../internal/time';
import { type Lookup, lookup } from '../../secret/lookup';
import type { ReadRequest, ReadResult, Source, SourceListener } from '../source';
import { type KeyVaultOptions, readOptions } from './options';
import { PACE_DEFAULTS, Pace } from './pace';
import type { Round } from './read-vault';
import { readSettled } from './settled-read';
import { VaultClient } from './vault-client';
import { OUTAGE, throttled, vaultError } from './vault-errors';

/**
 * Secrets of an Azure Key Vault, read directly: one request for each, with the credential of the pod. Needs the packages
 * `@azure/keyvault-secrets` and, unless a credential is given, `@azure/identity`; they are loaded when the store opens.
 *
 * Errors: `VAULT_…` and `IDENTITY_…`, each with the command that mends it; `PEER_MISSING`; `OPTION_INVALID`. A secret that
 * is not there may come from the next source; one that is denied or disabled, or a vault that does not answer, never does.
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
    readOptions(options);
  const { vaultUrl, requestTimeoutMs } = rest;
  const pace = new Pace({ ...PACE_DEFAULTS, refreshIntervalMs });
  let client: VaultClient | undefined;
  let listener: SourceListener | undefined;
  let cancel = () => {};
  let started = false;

  /** Not before the first look: the packages take 200 ms to load. */
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

  /** The next look, unless another one comes first. What it leads to is a read, which sets the time anew. */
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
      throw throttled(vaultUrl);
    }
    const boundMs = started ? refreshTimeoutMs : startTimeoutMs;
    const bound = deadline(request.signal, boundMs);
    try {
      const round = started ? await look(request, bound.signal) : await firstLook(request, bound.signal);
      schedule(nextLook(round), 'poll');
      const unchanged = request.since === round.revision;
      return { unchanged, readings: unchanged ? new Map() : round.readings, revision: round.revision };
    } catch (error) {
      const late = bound.signal.aborted && !isSecretsError(error);
      const known = late
        ? overdue(vaultUrl, boundMs, started)
        : vaultError(error, { vaultUrl }, requestTimeoutMs);
      schedule(PASSING.has(known.code) ? pace.failed(Date.now()) : pace.refused(), 'retry');
      throw known;
    } finally {
      started = true;
      bound.release();
    }
  }

  function nextLook({ readings }: Round): number {
    if ([...readings.values()].some(({ status }) => status === 'failed')) return pace.refused();
    return started ? pace.succeeded() : pace.first();
  }

  /** A process that starts has nothing yet that it could serve meanwhile. */
  async function firstLook(request: ReadRequest, signal: AbortSignal): Promise<Round> {
    let last: SecretsError | undefined;
    for (;;) {
      try {
        return await look(request, signal);
      } catch (error) {
        if (signal.aborted) throw last ?? error;
        last = vaultError(error, { vaultUrl }, requestTimeoutMs);
        if (!PASSING.has(last.code)) throw last;
        await delay(pace.failed(Date.now()), signal);
      }
    }
  }

  async function look({ lookups, list: wanted, since }: ReadRequest, signal: AbortSignal): Promise<Round> {
    const vault = connected();
    const names = list && wanted ? [...lookups, ...(await listed(vault, lookups, signal))] : lookups;
    const how = { client: vault, vaultUrl, requestTimeoutMs, concurrency, signal };
    return readSettled(names, since, how);
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
      if (pausedMs() > 0) return `throttled: nothing is asked for ${Math.ceil(pausedMs() / 1000)} s`;
      return list ? undefined : 'its names are not listed';
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
    },
  };
}

/** What may be over in a moment. */
const PASSING: ReadonlySet<string> = new Set([
  'VAULT_THROTTLED',
  'VAULT_UNAVAILABLE',
  'VAULT_TIMEOUT',
  'VAULT_RESPONSE_INVALID',
  'VAULT_UNSTABLE',
  'IDENTITY_FAILED',
]);

async function listed(
  client: VaultClient,
  declared: readonly Lookup[],
  signal: AbortSignal,
): Promise<Lookup[]> {
  const known = new Set(declared.map(({ vault }) => vault.toLowerCase()));
  const names = await client.list(signal);
  return names.filter((name) => !known.has(name.toLowerCase())).map((name) => lookup(name));
}

function overdue(vaultUrl: string, boundMs: number, started: boolean): SecretsError {
  const what = `a look at the vault ${vaultUrl} was not done within ${boundMs} ms`;
  const option = started ? 'refreshTimeoutMs' : 'startTimeoutMs';
  return new SecretsError('VAULT_TIMEOUT', what, {
    source: 'key-vault',
    next: `${OUTAGE} Raise ${option}, or concurrency, where the vault holds many secrets.`,
  });
}
