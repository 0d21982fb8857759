import type { Definition, Expiry } from '../definitions/definition';
import { SecretsError } from '../errors';
import { unrefTimer } from '../internal/time';
import { unseal } from '../secret/secret';
import { withNames } from './names';
import type { Problems } from './problems';
import type { Entry } from './resolve';
import type { ExpiringEvent, ExpiryReport } from './types';

const DAY_MS = 86_400_000;
/** Long timers drift, and machines sleep, so the store checks at least once an hour. */
const MAX_PAUSE_MS = DAY_MS / 24;

/** Up to this lifetime, thresholds are shares of it. A day more than 90, because issuers date certificates back. */
const SHORT_LIFETIME_DAYS = 91;
/** Issuers replace a certificate when a third of its lifetime is left, and the delivery takes a while: that is not announced. */
const SHORT_LIFETIME_SHARES = [0.3, 0.1];

interface Options {
  /** For values that live long. A definition may have its own. */
  readonly thresholdsDays: readonly number[];
  readonly definitions: ReadonlyMap<string, Definition<unknown>>;
  /** Warnings about values, by the name of the secret. */
  readonly warnings: Problems<string>;
  readonly expiring: (event: ExpiringEvent) => void;
}

interface Review {
  readonly entry: Entry;
  readonly expiries: readonly Expiry[];
  /** The last threshold announced for each expiry, in days. */
  readonly told: Map<Expiry, number>;
  warnings: readonly string[];
}

/** Watches the current values: reports their warnings, and announces their expiry. */
export class ExpiryWatch {
  readonly #options: Options;
  #reviewed = new Map<string, Review>();
  #cancel = () => {};
  #closed = false;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Reviews the entries of a new generation. Values that did not change are not announced again. */
  update(entries: ReadonlyMap<string, Entry>): void {
    const before = this.#reviewed;
    this.#reviewed = new Map();
    for (const [name, entry] of entries) {
      const known = before.get(name);
      if (known?.entry.secret === entry.secret) {
        this.#reviewed.set(name, known);
        continue;
      }
      const expiries = this.#expiriesOf(name, entry);
      this.#reviewed.set(name, { entry, expiries, told: new Map(), warnings: known?.warnings ?? [] });
    }
    for (const [name, { warnings }] of before) {
      if (!entries.has(name)) for (const code of warnings) this.#options.warnings.clear(name, code);
    }
    this.#review();
  }

  /** Values that expire, earliest first. */
  expiries(): ExpiryReport[] {
    const now = Date.now();
    return [...this.#reviewed]
      .flatMap(([name, { expiries }]) => expiries.map((expiry) => report(name, expiry, now)))
      .sort((a, b) => a.expiresAt.getTime() - b.expiresAt.getTime());
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  /** Certificates carry their expiry; for other values, the source may report one. */
  #expiriesOf(name: string, { secret }: Entry): readonly Expiry[] {
    const own = this.#options.definitions.get(name)?.expiries?.(unseal(secret) as object) ?? [];
    const { expiresOn, notBefore, createdOn } = secret.attributes;
    // A vault repeats the date of a certificate.
    if (expiresOn === undefined || own.some(({ expiresAt }) => isSameSecond(expiresAt, expiresOn)))
      return own;
    return [
      ...own,
      { what: 'secret', subject: name, validFrom: notBefore ?? createdOn, expiresAt: expiresOn },
    ];
  }

  #thresholdsOf(name: string, { validFrom, expiresAt }: Expiry): readonly number[] {
    const { definitions, thresholdsDays } = this.#options;
    const own = definitions.get(name)?.expiryThresholdsDays;
    if (own !== undefined || thresholdsDays.length === 0) return own ?? [];
    const lifetimeDays = (expiresAt.getTime() - (validFrom?.getTime() ?? Number.NaN)) / DAY_MS;
    if (!(lifetimeDays < SHORT_LIFETIME_DAYS)) return thresholdsDays;
    return SHORT_LIFETIME_SHARES.map((share) => share * lifetimeDays);
  }

  #review(): void {
    this.#cancel();
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [name, review] of this.#reviewed) {
      this.#warn(name, review);
      for (const expiry of review.expiries) {
        // A listener may have closed the store.
        if (this.#closed) return;
        this.#tell(name, expiry, review.told, now);
        next = Math.min(next, this.#nextChange(name, expiry, now));
      }
    }
    if (next === Number.POSITIVE_INFINITY || this.#closed) return;
    this.#cancel = unrefTimer(Math.min(next - now, MAX_PAUSE_MS), () => this.#review());
  }

  #warn(name: string, review: Review): void {
    const { definitions, warnings: problems } = this.#options;
    const { secret, suspect } = review.entry;
    const own = definitions.get(name)?.warnings?.(unseal(secret) as object) ?? [];
    const expired = expiredWarnings(name, review.expiries);
    const warnings = [
      ...suspect,
      ...own,
      ...expired.filter(({ code }) => !own.some((one) => one.code === code)),
    ];
    for (const warning of warnings) {
      const { code, what, next } = warning;
      const facts = { secret: name, source: secret.source, next };
      const named = withNames(what, name, definitions.get(name)?.lookups ?? []);
      problems.set(name, code, new SecretsError(code, named, facts), secret.version);
    }
    const codes = warnings.map(({ code }) => code as string);
    for (const code of review.warnings) {
      if (!codes.includes(code)) problems.clear(name, code);
    }
    review.warnings = codes;
  }

  #tell(name: string, expiry: Expiry, told: Map<Expiry, number>, now: number): void {
    const current = report(name, expiry, now);
    const passed = this.#thresholdsOf(name, expiry).filter((days) => timeBefore(expiry, days) <= now);
    if (passed.length === 0) return;
    const thresholdDays = Math.min(...passed);
    if (thresholdDays >= (told.get(expiry) ?? Number.POSITIVE_INFINITY)) return;
    told.set(expiry, thresholdDays);
    this.#options.expiring({ ...current, thresholdDays });
  }

  /** Returns when the next threshold or the expiry is reached, in milliseconds since the epoch. */
  #nextChange(name: string, expiry: Expiry, now: number): number {
    const times = [0, ...this.#thresholdsOf(name, expiry)].map((days) => timeBefore(expiry, days));
    return Math.min(...times.filter((time) => time > now));
  }
}

/** The time so many days before the expiry. Rounded, so that a timer of whole milliseconds reaches it exactly. */
function timeBefore({ expiresAt }: Expiry, days: number): number {
  return Math.round(expiresAt.getTime() - days * DAY_MS);
}

function report(name: string, { what, subject, expiresAt }: Expiry, now: number): ExpiryReport {
  const ends = expiresAt.getTime();
  // A copy of the date, so that a caller cannot change it for others.
  return { name, what, subject, expiresAt: new Date(ends), daysLeft: (ends - now) / DAY_MS };
}

/** The problems of a value that is used although it expired. Of trusted certificates, one that is valid suffices. */
function expiredWarnings(name: string, expiries: readonly Expiry[]): SecretsError[] {
  const isOver = ({ expiresAt }: Expiry) => expiresAt.getTime() <= Date.now();
  const trusted = expiries.filter(({ what }) => what === 'ca');
  const over = [
    ...expiries.filter((one) => one.what !== 'ca' && isOver(one)),
    ...(trusted.every(isOver) ? trusted : []),
  ];
  const value = over.find(({ what }) => what === 'secret');
  const certificate = over.find(({ what }) => what !== 'secret');
  return [
    ...(value === undefined ? [] : [expired('VALUE_EXPIRED', name, value)]),
    ...(certificate === undefined ? [] : [expired('CERTIFICATE_EXPIRED', name, certificate)]),
  ];
}

function expired(code: 'VALUE_EXPIRED' | 'CERTIFICATE_EXPIRED', name: string, expiry: Expiry): SecretsError {
  return new SecretsError(code, `${placeOf(name, expiry)} expired at ${expiry.expiresAt.toISOString()}`, {
    secret: name,
    next: 'It stays in use. Renew it where it is issued. The store finds the new value by itself.',
  });
}

function isSameSecond(one: Date, other: Date): boolean {
  return Math.abs(one.getTime() - other.getTime()) < 1000;
}

function placeOf(name: string, { what, subject }: Pick<Expiry, 'what' | 'subject'>): string {
  if (what === 'secret') return `"${name}"`;
  return what === 'leaf'
    ? `the certificate of "${name}"`
    : `a certificate of "${name}" (${what}, ${subject})`;
}

/** The warning for an `expiring` event without a listener. */
export function expiringWarning({ name, expiresAt, daysLeft, ...expiry }: ExpiringEvent): SecretsError {
  const end = expiresAt.toISOString();
  const when = daysLeft > 0 ? `expires at ${end}, in ${timeLeft(daysLeft)}` : `expired at ${end}`;
  return new SecretsError('VALUE_EXPIRING', `${placeOf(name, expiry)} ${when}`, {
    secret: name,
    next: 'Renew it where it is issued. The store finds the new value by itself.',
  });
}

function timeLeft(days: number): string {
  return days < 1 ? `${(days * 24).toFixed(1)} hours` : `${days.toFixed(1)} days`;
}
