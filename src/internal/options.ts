import { SecretsError } from '../errors';

/**
 * Reads one option. `given` is the value from the caller, or `undefined`. `reject` throws `OPTION_INVALID` with a message that
 * says what the option must be.
 */
export type Option<T> = (given: unknown, reject: (mustBe: string, instead?: string) => never) => T;

type Declared = Readonly<Record<string, Option<unknown>>>;
type Read<D extends Declared> = { readonly [K in keyof D]: ReturnType<D[K]> };

/**
 * Reads the options of a function. The declarations define names, units, bounds and defaults in one place.
 *
 * @param where The name of the function in messages: `createPool`.
 * @throws `OPTION_UNKNOWN` for an undeclared name, `OPTION_INVALID` for an invalid value or for options that are not an
 * object.
 * @example
 * ```ts
 * const { pollIntervalMs, optional } = readOptions('mountedFiles', options, {
 *   pollIntervalMs: ms(30_000, { least: 10 }),
 *   optional: flag(false),
 * });
 * ```
 */
export function readOptions<D extends Declared>(where: string, options: unknown = {}, declared: D): Read<D> {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new SecretsError(
      'OPTION_INVALID',
      `the options of ${where} must be an object, not ${kindOf(options)}`,
      {
        next: `Pass an object with any of: ${Object.keys(declared).join(', ')}.`,
      },
    );
  }
  rejectUnknownOptions(where, options, Object.keys(declared));
  const given = options as Readonly<Record<string, unknown>>;
  const read: Record<string, unknown> = {};
  // A plain loop, for speed: a store with a thousand definitions calls this a thousand times.
  for (const name in declared) {
    const option = declared[name] as Option<unknown>;
    read[name] = option(given[name], (mustBe, instead = kindOf(given[name])) => {
      const what = `${where}: \`${name}\` must be ${mustBe}, not ${instead}`;
      throw new SecretsError('OPTION_INVALID', what, { next: adviceFor(option) });
    });
  }
  return read as Read<D>;
}

/** A duration in milliseconds, `least` (default 0) or more. `Infinity` means no limit. */
export function ms(fallback: number, bounds?: Bounds): Option<number>;
export function ms(fallback?: undefined, bounds?: Bounds): Option<number | undefined>;
export function ms(fallback?: number, { least = 0, most }: Bounds = {}): Option<number | undefined> {
  const mustBe = `a duration in milliseconds, ${range(least, most)}`;
  return (given = fallback, reject) => {
    if (given === undefined || isWithin(given, least, most)) return given;
    return reject(mustBe);
  };
}

/** A count, `least` (default 0) or more. */
export function count(fallback: number, bounds?: Bounds): Option<number>;
export function count(fallback?: undefined, bounds?: Bounds): Option<number | undefined>;
export function count(fallback?: number, { least = 0, most }: Bounds = {}): Option<number | undefined> {
  return (given = fallback, reject) => {
    if (given === undefined || isWithin(given, least, most)) return given;
    return reject(`a number, ${range(least, most)}`);
  };
}

export function flag(fallback: boolean): Option<boolean> {
  return (given = fallback, reject) => (typeof given === 'boolean' ? given : reject('true or false'));
}

/** A non-empty string. */
export function text(fallback: string): Option<string>;
export function text(fallback?: undefined): Option<string | undefined>;
export function text(fallback?: string): Option<string | undefined> {
  return (given = fallback, reject) => {
    if (given === undefined || (typeof given === 'string' && given !== '')) return given;
    return reject('a non-empty string');
  };
}

export function oneOf<T extends string>(fallback: T, ...values: readonly T[]): Option<T> {
  return (given = fallback, reject) => {
    if (given === fallback || values.includes(given as T)) return given as T;
    const choices = [...new Set([fallback, ...values])].map((value) => `'${value}'`).join(', ');
    return reject(`one of ${choices}`, typeof given === 'string' ? 'another string' : undefined);
  };
}

export function callback<F>(): Option<F | undefined> {
  return (given, reject) => {
    if (given === undefined || typeof given === 'function') return given as F | undefined;
    return reject('a function');
  };
}

/** An option that is returned as it is: the caller validates it. */
export function passed<T>(): Option<T | undefined> {
  return (given) => given as T | undefined;
}

interface Bounds {
  readonly least?: number;
  readonly most?: number;
}

function isWithin(given: unknown, least: number, most = Number.POSITIVE_INFINITY): given is number {
  return typeof given === 'number' && given >= least && given <= most;
}

function range(least: number, most: number | undefined): string {
  return most === undefined ? `${least} or more` : `from ${least} to ${most}`;
}

function adviceFor(option: Option<unknown>): string {
  try {
    const fallback = option(undefined, () => {
      throw new Error('required');
    });
    if (typeof fallback === 'number' || typeof fallback === 'string' || typeof fallback === 'boolean') {
      return `Fix it, or leave it out for the default (${fallback}).`;
    }
    return 'Fix it, or leave it out.';
  } catch {
    return 'Fix the option named here.';
  }
}

/** Describes the kind of an argument, without its content. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (value === '') return 'an empty string';
  if (typeof value === 'number') return Number.isNaN(value) ? 'NaN' : 'that number';
  return `${/^[aeiou]/.test(typeof value) ? 'an' : 'a'} ${typeof value}`;
}

/** @throws `OPTION_UNKNOWN` for an option that is not in `known`, so that a misspelt option is not ignored. */
export function rejectUnknownOptions(where: string, options: object, known: readonly string[]): void {
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue;
    const [closest] = closestNames(option, known);
    throw new SecretsError('OPTION_UNKNOWN', `${where} has no option "${option}"`, {
      next: closest === undefined ? `The options are: ${known.join(', ')}.` : `Did you mean "${closest}"?`,
    });
  }
}

/** @throws `OPTION_INVALID` if `value` is not a number of at least `least`. `Infinity` is valid. */
export function assertNumber(where: string, option: string, value: unknown, least = 0): void {
  if (typeof value === 'number' && value >= least) return;
  throw new SecretsError('OPTION_INVALID', `${where}: \`${option}\` must be a number, ${least} or more`, {
    next: 'Fix the option named here.',
  });
}

/** Returns the candidates most similar to `name`, nearest first, for "did you mean". */
export function closestNames(name: string, candidates: readonly string[], most = 1): string[] {
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const wanted = plain(name);
  return candidates
    .map((candidate) => ({ candidate, distance: editDistance(wanted, plain(candidate)) }))
    .filter(({ distance }) => distance <= Math.max(2, wanted.length / 3))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map(({ candidate }) => candidate);
}

/** How many characters to insert, remove or replace to get from one text to the other. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replace = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replace, (previous[j] as number) + 1, (row[j - 1] as number) + 1));
    }
    previous = row;
  }
  return previous[b.length] as number;
}
