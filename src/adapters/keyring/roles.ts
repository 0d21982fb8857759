import type { SigningKey } from './signing-key';

/** Where a key was found: in a secret, or only in the memory of this process, after its secret changed. */
export type KeyPlace = 'current' | 'previous' | 'next' | 'memory';

/** A key with what is known of its age. Times are those of `performance.now()`. */
export interface KnownKey {
  readonly key: SigningKey;
  readonly place: KeyPlace;
  /** When it was published, at the latest. */
  readonly appearedAtMs: number;
  /** When it is refused, although its place still has it. */
  readonly retiresAtMs: number;
  /** When it left its place; `Infinity` while it is there. */
  readonly goneAtMs: number;
  /** True if it was the current key. A next key that was withdrawn never signed. */
  readonly wasCurrent: boolean;
}

/** A key as a snapshot has it, in the order current, previous, older ones, next. */
export interface FoundKey {
  readonly key: SigningKey;
  readonly place: KeyPlace;
  /** When it was published, at the latest. */
  readonly appearedAtMs: number;
  /** True if every replica knows the same time. */
  readonly isExact: boolean;
}

/** How long what takes time may take. */
export interface Periods {
  /** From the publication of a key until every replica has it. */
  readonly signAfterMs: number;
  /** How long a signature is valid. */
  readonly verifyForMs: number;
}

/** The keys at one time. */
export interface Roles {
  readonly signing: KnownKey;
  /** All keys that verify: the signing key first. */
  readonly verifying: readonly KnownKey[];
  /** When this is over. `Infinity` for never. */
  readonly untilMs: number;
}

/**
 * Updates what is known with the keys of a snapshot. A key that left its place stays known: for `signAfterMs` other replicas
 * sign with it because they have not read its successor, for another `signAfterMs` because the successor has to wait, and for
 * `verifyForMs` what they signed is valid.
 */
export function knownKeys(
  before: readonly KnownKey[],
  found: readonly FoundKey[],
  { signAfterMs, verifyForMs }: Periods,
  now: number,
): KnownKey[] {
  const acceptedForMs = 2 * signAfterMs + verifyForMs;
  const knownBefore = new Map(before.map((one) => [one.key.id, one]));
  const known = new Map<string, KnownKey>();
  for (const [index, one] of found.entries()) {
    const { key, place } = one;
    if (known.has(key.id)) continue;
    const old = knownBefore.get(key.id);
    // A key that comes back after a while may have become unknown to others.
    const isOld = old !== undefined && now - old.goneAtMs <= signAfterMs;
    const successor = place === 'previous' ? found[index - 1] : undefined;
    known.set(key.id, {
      key: old?.key ?? key,
      place,
      appearedAtMs: isOld ? Math.min(old.appearedAtMs, one.appearedAtMs) : one.appearedAtMs,
      retiresAtMs: successor?.isExact ? successor.appearedAtMs + acceptedForMs : Number.POSITIVE_INFINITY,
      goneAtMs: Number.POSITIVE_INFINITY,
      wasCurrent: old?.wasCurrent === true || place !== 'next',
    });
  }
  for (const one of before) {
    if (known.has(one.key.id)) continue;
    const goneAtMs = Math.min(one.goneAtMs, now);
    const retiresAtMs = Math.min(one.retiresAtMs, goneAtMs + acceptedForMs);
    if (retiresAtMs > now) known.set(one.key.id, { ...one, place: 'memory', goneAtMs, retiresAtMs });
  }
  return [...known.values()];
}

const ORDER: readonly KeyPlace[] = ['current', 'next', 'previous', 'memory'];

/**
 * Decides which key signs: the newest that has been known to every replica for long enough. A newer one only verifies. If all
 * are too young to tell, for example in a new pod, the previous one signs, because every replica accepts it.
 */
export function rolesOf(
  known: readonly KnownKey[],
  { signAfterMs }: Periods,
  now: number,
  signing: SigningKey | undefined,
): Roles {
  const accepted = known.filter(({ retiresAtMs }) => retiresAtMs > now);
  const of = (place: KeyPlace) => accepted.filter((one) => one.place === place && one.key.canSign);
  const [current, previous] = [of('current'), of('previous')];
  const memory = of('memory').filter(({ wasCurrent }) => wasCurrent);
  memory.sort((a, b) => b.goneAtMs - a.goneAtMs);
  const ripe = [...current, ...previous, ...memory].find((one) => now - one.appearedAtMs >= signAfterMs);
  const signsNow = memory.filter(({ key }) => key === signing);
  const chosen = ripe ?? [...previous, ...signsNow, ...memory, ...current][0];
  const others = accepted.filter((one) => one !== chosen);
  others.sort((a, b) => ORDER.indexOf(a.place) - ORDER.indexOf(b.place));
  const ends = accepted.flatMap((one) => [one.appearedAtMs + signAfterMs, one.retiresAtMs]);
  return {
    signing: chosen as KnownKey,
    verifying: [chosen as KnownKey, ...others],
    untilMs: Math.min(...ends.filter((end) => end > now)),
  };
}
