import { type Definitions, memory, SecretStore, type Source, secret } from 'hot-secrets';
import { type Keyring, type KeyringOptions, keyring } from 'hot-secrets/keyring';
import { onTestFinished, vi } from 'vitest';

/** Long enough for every test, and no multiple of anything. */
export const SIGN_AFTER_MS = 150_000;
export const VERIFY_FOR_MS = 600_000;

export const FIRST = 'first-secret-of-the-keyring-0123456789';
export const SECOND = 'second-secret-of-the-keyring-0123456789';
export const THIRD = 'third-secret-of-the-keyring-0123456789';

/** The definitions of a keyring of texts, with its siblings. */
export const TEXTS: Definitions = {
  signing: 'signing',
  'signing.previous': secret.text('signing.previous').optional(),
  'signing.next': secret.text('signing.next').optional(),
};

export interface StageOptions {
  readonly secrets?: Definitions;
  readonly options?: KeyringOptions;
  /** How long ago the values appeared, when the process starts; `undefined` if the source does not tell. */
  readonly ageMs?: number | undefined;
  /** True for a source that knows when a version was created, as a vault does. */
  readonly exact?: boolean;
}

/** A store in simulated time with the keyring of a secret, as one process has it. */
export interface Stage {
  readonly store: SecretStore<Record<string, unknown>>;
  readonly keys: Keyring;
  /** Writes values, as a rotation does, and waits until the store has them. */
  rotate(values: Readonly<Record<string, string | Uint8Array | undefined>>): Promise<void>;
}

/** Simulates the time until the test ends. Call it before anything else. */
export function simulateClock(): { pass(ms: number): void } {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'], now: Date.now() });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  return { pass: (ms) => void vi.advanceTimersByTime(ms) };
}

/** A source in memory that tells when its values appeared. */
export function datedMemory(
  initial: Readonly<Record<string, string | Uint8Array | undefined>>,
  { ageMs, exact = false }: Pick<StageOptions, 'ageMs' | 'exact'>,
) {
  const source = memory(initial);
  const times = new Map<string, number>();
  const stamp = (values: object, at: number) => {
    for (const name of Object.keys(values)) times.set(name, at);
  };
  if (ageMs !== undefined) stamp(initial, Date.now() - ageMs);
  const dated: Source = {
    ...source,
    async read(request) {
      const result = await source.read(request);
      const readings = [...result.readings].map(([name, reading]) => {
        const appearedAtMs = times.get(name);
        if (reading.status !== 'found' || appearedAtMs === undefined) return [name, reading] as const;
        const attributes = exact ? { attributes: { createdOn: new Date(appearedAtMs), tags: {} } } : {};
        return [name, { ...reading, appearedAtMs, ...attributes }] as const;
      });
      return { ...result, readings: new Map(readings) };
    },
  };
  return {
    source: dated,
    /** `at`: when the values appeared. */
    set(values: Readonly<Record<string, string | Uint8Array | undefined>>, at = Date.now()) {
      if (ageMs !== undefined) stamp(values, at);
      source.set(values);
    },
  };
}

export async function keyringStage(
  initial: Readonly<Record<string, string | Uint8Array | undefined>>,
  { secrets = TEXTS, options, ageMs, exact = false }: StageOptions = {},
): Promise<Stage> {
  const { source, set } = datedMemory(initial, { ageMs, exact });
  const store = (await SecretStore.open({ secrets, sources: [source] })) as SecretStore<
    Record<string, unknown>
  >;
  const periods = { signAfterMs: SIGN_AFTER_MS, verifyForMs: VERIFY_FOR_MS };
  const keys = keyring(store, 'signing', { ...periods, ...options });
  onTestFinished(() => store.close());
  return {
    store,
    keys,
    async rotate(values) {
      set(values);
      await store.refresh();
    },
  };
}
