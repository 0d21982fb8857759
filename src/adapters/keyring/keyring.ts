import { isSecretsError, SecretsError, withFacts } from '../../errors';
import { inspectCustom } from '../../internal/builtins';
import { isolate } from '../../internal/events';
import { kindOf, ms, type Option, oneOf, readOptions, text } from '../../internal/options';
import { detached, unrefTimer } from '../../internal/time';
import { listenerFailure, warn } from '../../internal/warnings';
import { observedOf } from '../../observe/observed';
import type { Secret } from '../../secret/secret';
import { assertStore } from '../../store/assert-store';
import type { SecretStore, Snapshot } from '../../store/types';
import { type FoundKey, type KeyPlace, type KnownKey, knownKeys, type Roles, rolesOf } from './roles';
import { type KeyAlgorithm, type SigningKey, signingKeyOf } from './signing-key';

/** Options of `keyring`. `Name` are the names of the store. */
export interface KeyringOptions<Name extends string = string> {
  /**
   * The secrets with the previous value and, if there are more, older ones, newest first. They make a process that starts
   * accept what its neighbours accept. Default: `NAME.previous`, if the store has it.
   */
  readonly previous?: Name | readonly Name[] | undefined;
  /** The secret with the key that will be current next. It only verifies. Default: `NAME.next`, if the store has it. */
  readonly next?: Name | undefined;
  /**
   * How long a new key only verifies: the longest time until every replica has read it. Default: 300 000 (5 minutes) or, if that
   * is longer, the time after which its source is stale: 45 minutes for a Key Vault that is read every 15.
   */
  readonly signAfterMs?: number | undefined;
  /** The lifetime of the longest token, cookie or session. Default: 86 400 000 (a day). */
  readonly verifyForMs?: number | undefined;
  /** What tokens are signed with, if not `HS256`, `RS256` or the algorithm of the curve. */
  readonly algorithm?: KeyAlgorithm | undefined;
}

/** A key in a report. */
export interface KeyReport {
  readonly id: string;
  readonly algorithm: KeyAlgorithm;
  /** `memory`: no secret has it anymore, but this process still accepts what it signed. */
  readonly place: KeyPlace;
  readonly signs: boolean;
  /** When a current key will sign; `undefined` if it already does, or is not current. */
  readonly signsAt: Date | undefined;
  /** When it will be refused; `undefined` while a secret has it. */
  readonly verifiesUntil: Date | undefined;
}

/** The keys of one signing secret. */
export interface Keyring {
  /** The name of the secret. */
  readonly name: string;
  /** The key that signs now. */
  readonly signing: SigningKey;
  /** All keys that verify now. The signing key is the first. */
  readonly verifying: readonly SigningKey[];
  /** Returns the key with this id, if it verifies now. */
  find(id: string | undefined): SigningKey | undefined;
  /** Calls `listener` now and whenever another key signs, or other keys verify. Returns a function that stops it. */
  watch(listener: (keys: Pick<Keyring, 'signing' | 'verifying'>) => void): () => void;
  /** Returns each key with its place and its times. */
  report(): readonly KeyReport[];
  /** Stops following the store. The keys stay as they are. Closing the store does that too. */
  close(): void;
}

const DEFAULT_SIGN_AFTER_MS = 300_000;

const ALGORITHMS = ['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const;
const algorithm: Option<KeyAlgorithm | undefined> = (given, reject) =>
  given === undefined
    ? undefined
    : oneOf<KeyAlgorithm>('HS256', ...ALGORITHMS, 'ES256', 'ES384', 'ES512', 'EdDSA')(given, reject);

const names: Option<readonly string[] | undefined> = (given, reject) => {
  if (given === undefined) return undefined;
  const list = typeof given === 'string' ? [given] : given;
  const valid = Array.isArray(list) && list.every((name) => typeof name === 'string' && name !== '');
  return valid ? list : reject('the name of a secret, or a list of names');
};

/**
 * Returns the keys of a signing secret: which signs, and which verify. A new key verifies before it signs, so that no replica
 * gets a token, cookie or webhook that it cannot verify yet.
 *
 * Throws `NAME_UNKNOWN`, `SECRET_MISSING`, `SIGNING_KEY_INVALID`, `STORE_CLOSED`, `OPTION_INVALID`, `OPTION_UNKNOWN`. If a later
 * value is not a key, the last keys stay in use, and the store emits `error` with `SIGNING_KEY_INVALID`.
 *
 * @example
 * ```ts
 * import { keyring } from 'hot-secrets/keyring';
 * const keys = keyring(secrets, 'signing', { verifyForMs: 3_600_000 });
 * keys.signing.id;
 * ```
 */
export function keyring<V>(
  store: SecretStore<V>,
  name: keyof V & string,
  options?: KeyringOptions<keyof V & string>,
): Keyring {
  assertStore('keyring', store, ['snapshot', 'report', 'on']);
  if (typeof name !== 'string' || name === '') {
    throw new SecretsError(
      'OPTION_INVALID',
      `keyring: the second argument must be the name of a secret, not ${kindOf(name)}`,
      { next: "Call keyring(secrets, 'signing')." },
    );
  }
  const read = readOptions('keyring', options, {
    previous: names,
    next: text(),
    signAfterMs: ms(),
    verifyForMs: ms(86_400_000),
    algorithm,
  });
  return new LiveKeyring(store as unknown as SecretStore<Record<string, unknown>>, name, read);
}

type Read = {
  readonly previous: readonly string[] | undefined;
  readonly next: string | undefined;
  readonly signAfterMs: number | undefined;
  readonly verifyForMs: number;
  readonly algorithm: KeyAlgorithm | undefined;
};
type Listener = Parameters<Keyring['watch']>[0];

const KEPT = 'Until then, the last keys stay in use.';

class LiveKeyring implements Keyring {
  readonly name: string;
  readonly #store: SecretStore<Record<string, unknown>>;
  readonly #options: Read;
  readonly #periods: { readonly signAfterMs: number; readonly verifyForMs: number };
  readonly #listeners = new Set<Listener>();
  /** Versions of values that are not keys, which were reported. */
  readonly #refused = new Map<string, string>();
  readonly #stops: (() => void)[];
  /** The last value of each secret that was a key. */
  readonly #last = new Map<string, { readonly box: Secret<unknown>; readonly found: FoundKey }>();
  #known: readonly KnownKey[] = [];
  #roles!: Roles;
  #verifying: readonly SigningKey[] = [];
  #cancel = () => {};
  #closed = false;

  constructor(store: SecretStore<Record<string, unknown>>, name: string, options: Read) {
    this.name = name;
    this.#store = store;
    this.#options = options;
    const { verifyForMs, signAfterMs = this.#longestDelayMs() } = options;
    this.#periods = { verifyForMs, signAfterMs };
    this.#follow(true);
    this.#stops = [store.on('change', () => this.#follow(false)), store.on('close', () => this.close())];
  }

  get signing(): SigningKey {
    this.#pass();
    return this.#roles.signing.key;
  }

  get verifying(): readonly SigningKey[] {
    this.#pass();
    return this.#verifying;
  }

  find(id: string | undefined): SigningKey | undefined {
    return this.verifying.find((key) => key.id === id);
  }

  watch(listener: Listener): () => void {
    if (typeof listener !== 'function') {
      throw new SecretsError(
        'OPTION_INVALID',
        `the listener of a keyring must be a function, not ${kindOf(listener)}`,
        {
          next: 'Call watch((keys) => …).',
        },
      );
    }
    listener(this);
    // Each subscription counts, even of the same function.
    const own: Listener = (keys) => listener(keys);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  report(): readonly KeyReport[] {
    this.#pass();
    const [now, date] = [performance.now(), Date.now()];
    const dateOf = (at: number) =>
      at > now && at < Number.POSITIVE_INFINITY ? new Date(date + at - now) : undefined;
    return this.#roles.verifying.map((one) => {
      const { key, place, appearedAtMs, retiresAtMs } = one;
      const signs = one === this.#roles.signing;
      const signsAt =
        signs || place !== 'current' ? undefined : dateOf(appearedAtMs + this.#periods.signAfterMs);
      return {
        id: key.id,
        algorithm: key.algorithm,
        place,
        signs,
        signsAt,
        verifiesUntil: dateOf(retiresAtMs),
      };
    });
  }

  close(): void {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    this.#cancel();
    this.#listeners.clear();
  }

  [inspectCustom](): string {
    return `Keyring { name: '${this.name}', signing: '${this.signing.id}', verifying: ${this.verifying.length} }`;
  }

  /** The time after which the source of the key is stale covers what its reads may take. */
  #longestDelayMs(): number {
    const source = this.#store.snapshot().get(this.name)?.source;
    const { maxStalenessMs = 0 } = this.#store.report().sources.find((one) => one.source === source) ?? {};
    return Math.max(DEFAULT_SIGN_AFTER_MS, Number.isFinite(maxStalenessMs) ? maxStalenessMs : 0);
  }

  /** Takes the keys of the current snapshot. */
  #follow(isFirst: boolean): void {
    const now = performance.now();
    const snapshot = this.#store.snapshot();
    const { name } = this;
    const { previous, next } = this.#options;
    const has = (sibling: string) => snapshot.has(sibling);
    const found = [
      this.#find(snapshot, name, 'current', isFirst),
      ...(previous ?? [`${name}.previous`].filter(has)).map((one) =>
        this.#find(snapshot, one, 'previous', isFirst),
      ),
      ...(next === undefined ? [`${name}.next`].filter(has) : [next]).map((one) =>
        this.#find(snapshot, one, 'next', isFirst),
      ),
    ];
    this.#known = knownKeys(
      this.#known,
      found.filter((one) => one !== undefined),
      this.#periods,
      now,
    );
    this.#update(now);
  }

  #find(
    snapshot: Snapshot<Record<string, unknown>>,
    name: string,
    place: KeyPlace,
    isFirst: boolean,
  ): FoundKey | undefined {
    const box = snapshot.get(name) as Secret<unknown> | undefined;
    if (box === undefined) {
      if (place !== 'current') return undefined;
      throw new SecretsError('SECRET_MISSING', `the keyring needs "${name}", which has no value`, {
        secret: name,
        next: 'Add it to a source.',
      });
    }
    const last = this.#last.get(name);
    if (last?.box === box) return last.found;
    const { version, appearedAt, attributes } = box;
    try {
      const key = signingKeyOf(name, box.reveal(), this.#options.algorithm);
      this.#assertFits(name, key, place);
      const ageMs = appearedAt === undefined ? 0 : Math.max(0, Date.now() - appearedAt.getTime());
      const appearedAtMs = performance.now() - ageMs;
      const found = { key, place, appearedAtMs, isExact: attributes.createdOn !== undefined };
      this.#last.set(name, { box, found });
      this.#refused.delete(name);
      return found;
    } catch (error) {
      if (isFirst || !isSecretsError(error)) throw error;
      if (this.#refused.get(name) !== version)
        this.#tell(withFacts(error, { next: `${error.next} ${KEPT}` }));
      this.#refused.set(name, version);
      return last?.found;
    }
  }

  /** A value of another kind is in the wrong place: no library takes a secret here and a private key there. */
  #assertFits(secret: string, key: SigningKey, place: KeyPlace): void {
    const first = this.#known[0]?.key ?? this.#last.get(this.name)?.found.key;
    const wrong =
      place === 'current' && !key.canSign
        ? 'is a public key, which cannot sign'
        : first !== undefined && first.algorithm.startsWith('HS') !== key.algorithm.startsWith('HS')
          ? `is a ${key.algorithm.startsWith('HS') ? 'secret' : 'key pair'}, but the keyring has keys of the other kind`
          : undefined;
    if (wrong === undefined) return;
    throw new SecretsError('SIGNING_KEY_INVALID', `the value of "${secret}" ${wrong}`, {
      secret,
      next: 'Store a key of the same kind. For another kind, use a secret and a keyring of its own.',
    });
  }

  #tell(error: SecretsError): void {
    if (!observedOf(this.#store).tellError(error)) warn(error);
  }

  /** Takes another key as time passes, even if the timer is late. */
  #pass(): void {
    const now = performance.now();
    if (now < this.#roles.untilMs) return;
    this.#known = this.#known.filter(({ place, retiresAtMs }) => place !== 'memory' || retiresAtMs > now);
    this.#update(now);
  }

  #update(now: number): void {
    const before = this.#verifying;
    this.#roles = rolesOf(this.#known, this.#periods, now, before[0]);
    const verifying = this.#roles.verifying.map(({ key }) => key);
    this.#cancel();
    if (!this.#closed) {
      // At least a millisecond, because a timer may come early.
      const inMs = Math.max(1, this.#roles.untilMs - now);
      this.#cancel = detached(() => unrefTimer(inMs, () => this.#pass()));
    }
    if (before.length === verifying.length && before.every((key, index) => key === verifying[index])) return;
    this.#verifying = Object.freeze(verifying);
    for (const listener of [...this.#listeners]) {
      isolate(
        () => listener(this),
        (error) => this.#tell(listenerFailure('keyring.watch', error)),
      );
    }
  }
}
