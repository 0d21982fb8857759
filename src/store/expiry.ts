import type { Definition, Expiry } from '../definitions/definition';
import { SecretsError } from '../errors';
import { unrefTimer } from '../internal/time';
import { unseal } from '../secret/secret';
import type { Problems } from './problems';
import type { Entry } from './resolve';
import type { ExpiringEvent, ExpiryReport } from './types';

const DAY_MS = 86_400_000;
/** Long timers drift, and machines sleep, so the store checks at least once an hour. */
const MAX_PAUSE_MS = DAY_MS / 24;

interface Options {
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
    const definition = this.#options.definitions.get(name);
    if (definition?.expiries !== undefined) return definition.expiries(unseal(secret) as object);
    const { expiresOn } = secret.attributes;
    return expiresOn === undefined ? [] : [{ what: 'secret', subject: name, expiresAt: expiresOn }];
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
        next = Math.min(next, this.#nextChange(expiry, now));
      }
    }
    if (next === Number.POSITIVE_INFINITY || this.#closed) return;
    this.#cancel = unrefTimer(Math.min(next - now, MAX_PAUSE_MS), () => this.#review());
  }

  #warn(name: string, review: Review): void {
    const { definitions, warnings: problems } = this.#options;
    const { secret } = review.entry;
    const warnings = definitions.get(name)?.warnings?.(unseal(secret) as object) ?? [];
    for (const warning of warnings) {
      const { code, what, next } = warning;
      const facts = { secret: name, source: secret.source, next };
      problems.set(name, code, new SecretsError(code, what, facts), secret.version);
    }
    const codes = warnings.map(({ code }) => code as string);
    for (const code of review.warnings) {
      if (!codes.includes(code)) problems.clear(name, code);
    }
    review.warnings = codes;
  }

  #tell(name: string, expiry: Expiry, told: Map<Expiry, number>, now: number): void {
    const current = report(name, expiry, now);
    const passed = this.#options.thresholdsDays.filter((days) => current.daysLeft <= days);
    if (passed.length === 0) return;
    const thresholdDays = Math.min(...passed);
    if (thresholdDays >= (told.get(expiry) ?? Number.POSITIVE_INFINITY)) return;
    told.set(expiry, thresholdDays);
    this.#options.expiring({ ...current, thresholdDays });
  }

  /** Returns when the next threshold or the expiry is reached, in milliseconds since the epoch. */
  #nextChange({ expiresAt }: Expiry, now: number): number {
    const times = [0, ...this.#options.thresholdsDays].map((days) => expiresAt.getTime() - days * DAY_MS);
    return Math.min(...times.filter((time) => time > now));
  }
}

function report(name: string, expiry: Expiry, now: number): ExpiryReport {
  const ends = expiry.expiresAt.getTime();
  // A copy of the date, so that a caller cannot change it for others.
  return { name, ...expiry, expiresAt: new Date(ends), daysLeft: (ends - now) / DAY_MS };
}

/** The warning for an `expiring` event without a listener. */
export function expiringWarning({ name, what, subject, expiresAt, daysLeft }: ExpiringEvent): SecretsError {
  const places = { secret: `"${name}"`, leaf: `the certificate of "${name}"` };
  const place = what in places ? places[what as 'leaf'] : `a certificate of "${name}" (${what}, ${subject})`;
  const end = expiresAt.toISOString();
  const when = daysLeft > 0 ? `expires at ${end}, in ${daysLeft.toFixed(1)} days` : `expired at ${end}`;
  return new SecretsError('VALUE_EXPIRING', `${place} ${when}`, {
    secret: name,
    next: 'Renew it where it is issued. The store finds the new value by itself.',
  });
}
