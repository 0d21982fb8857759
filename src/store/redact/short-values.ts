import type { Find, Match } from './match';

/** A value that is too short to be masked wherever it stands. */
export interface ShortValue {
  readonly value: string;
  readonly name: string;
  /** What its key may be called besides `WORDS`: the names of its secret, each through `keyOf`. */
  readonly keys: ReadonlySet<string>;
}

const WORDS: ReadonlySet<string> = new Set([
  ...['password', 'passwd', 'passphrase', 'pass', 'pwd', 'pin', 'secret', 'clientsecret', 'secretkey'],
  ...['token', 'accesstoken', 'refreshtoken', 'authtoken', 'apikey', 'accesskey', 'privatekey'],
  ...['credential', 'credentials', 'authorization', 'auth'],
]);

// What a value without quotes ends at. The `@` of a URL is one too, where the value stands behind a user's name.
const END = /\.?(?:$|[\s"'`\\&,;#<>()[\]{}|])/y;
/** Signs by which these values are told, and which encoders may escape. Escaped quotes are read as they are. */
export const SURROUNDINGS = '/:=@& ';
// How far a key, or the user of a URL, is looked for.
const LOOK_BACK = 128;
const KEY = /([\p{L}\p{N}_./-]+)\]?\\*["'`]?\s*$/u;
const USER = /:\/\/[^\s/?#@:"'`\\]*$/;
const BASIC = /\b[Bb]asic\s+([\w+/-]+=*)/g;

/** A key as it is compared: without case, and without what separates its words. */
export function keyOf(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

/**
 * Finds values too short to be masked anywhere: as a whole, behind `:` or `=` and a key that is a name of their secret
 * or one of `WORDS`, quoted or not; behind `Bearer` and `Basic`; as the password of a URL, and of Basic credentials.
 */
export function shortValues(values: readonly ShortValue[]): Find {
  if (values.length === 0) return () => [];
  const owners = new Map<string, ShortValue[]>();
  for (const one of values) {
    const list = owners.get(one.value);
    if (list === undefined) owners.set(one.value, [one]);
    else if (list.at(-1)?.name !== one.name) list.push(one);
  }
  const any = [...owners.keys()]
    .sort((a, b) => b.length - a.length)
    .map((value) => value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('|');
  const pattern = new RegExp(
    `(?:[:=]\\s*(\\\\*["'\`])?((?:[Bb]earer|[Bb]asic)\\s+)?|\\b([Bb]earer\\s+))(${any})`,
    'g',
  );

  return (text) => {
    const found: Match[] = [];
    pattern.lastIndex = 0;
    for (let candidate = pattern.exec(text); candidate !== null; candidate = pattern.exec(text)) {
      const [whole, quote, schemeInValue, scheme = schemeInValue, value = ''] = candidate;
      const end = candidate.index + whole.length;
      const before = text.slice(Math.max(0, candidate.index - LOOK_BACK), candidate.index);
      const inUrl = text[end] === '@' && USER.test(before);
      if (!inUrl && !(quote === undefined ? endsAt(text, end) : text.startsWith(quote, end))) continue;
      const key = keyOf(KEY.exec(before)?.[1] ?? '');
      const list = owners.get(value) as ShortValue[];
      const owner = list.find(({ keys }) => keys.has(key));
      if (owner === undefined && !inUrl && scheme === undefined && !WORDS.has(key)) continue;
      found.push({ start: end - value.length, end, name: (owner ?? (list[0] as ShortValue)).name });
    }
    BASIC.lastIndex = 0;
    for (let match = BASIC.exec(text); match !== null; match = BASIC.exec(text)) {
      const [whole, encoded = ''] = match;
      const credentials = Buffer.from(encoded, 'base64').toString();
      const owner = owners.get(credentials.slice(credentials.indexOf(':') + 1))?.[0];
      const end = match.index + whole.length;
      if (owner !== undefined) found.push({ start: end - encoded.length, end, name: owner.name });
    }
    return found;
  };
}

function endsAt(text: string, position: number): boolean {
  END.lastIndex = position;
  return END.test(text);
}
