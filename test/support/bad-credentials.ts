import type { SecretStore } from 'hot-secrets';

/** The value of the secret `token` that no error may show. */
export const BAD_TOKEN = 't0ps3cret';

type Reader = Pick<SecretStore, 'reveal' | 'get'>;

export interface BadCredentials {
  /** What the recipe returns. */
  readonly title: string;
  readonly recipe: (s: Reader) => unknown;
  readonly code: string;
  readonly what: RegExp;
}

/** Recipes that return neither a token nor headers, for the client called `name`. They read the secret `token`. */
export function badCredentials(name: string): BadCredentials[] {
  const token = (s: Reader) => s.reveal('token');
  const rows: [string, (s: Reader) => unknown, string][] = [
    ['a box', (s) => s.get('token'), 'returned a box'],
    ['nothing', (s) => void token(s), 'returned undefined'],
    ['an empty token', (s) => token(s).slice(99), 'returned an empty string'],
    ['white space', (s) => token(s).slice(99).padEnd(3), 'returned a string'],
    ['a number', (s) => token(s).length, 'returned that number'],
    ['an array', (s) => [token(s)], 'returned an array'],
    ['bytes', (s) => Buffer.from(token(s)), 'returned bytes'],
    ['a map', (s) => new Map([['x-api-key', token(s)]]), 'returned no options'],
    ['no header', (s) => ({ ...(token(s) && {}) }), 'returned no header'],
    ['an undefined header', (s) => ({ a: token(s)[99] }), 'returned undefined as the header `a`'],
    ['an empty header', (s) => ({ a: `${token(s)[99] ?? ' '}` }), 'returned an empty header `a`'],
    ['a list as a header', (s) => ({ a: [token(s)] }), 'returned an array as the header `a`'],
    ['a box as a header', (s) => ({ a: s.get('token') }), 'returned a box as `a`'],
    ['a line break', (s) => `${token(s)}\nx: y`, 'returned a header `authorization` with a character'],
    ['a NUL', (s) => ({ a: `${token(s)}\0` }), 'returned a header `a` with a character'],
    ['no Latin', (s) => ({ a: `${token(s)}→` }), 'returned a header `a` with a character'],
    ['a token as a name', (s) => ({ [`${token(s)} x`]: 'y' }), 'returned a header whose name is not valid'],
    ['a header twice', (s) => ({ a: token(s), A: 'x' }), 'returned the header `a` twice'],
  ];
  return [
    ...rows.map(([title, recipe, what]) => ({
      title,
      recipe,
      code: 'RECIPE_FAILED',
      what: new RegExp(`^the recipe of the ${name} ${what}`),
    })),
    { title: 'a promise', recipe: async (s) => token(s), code: 'RECIPE_ASYNC', what: /returned a promise/ },
    {
      title: 'what it did not read',
      recipe: () => 'fixed',
      code: 'RECIPE_READS_NOTHING',
      what: /read no secret/,
    },
    {
      title: 'what it throws',
      recipe: (s) => {
        throw new Error(token(s));
      },
      code: 'RECIPE_FAILED',
      what: /threw Error/,
    },
  ];
}

/** What a call throws. */
export function refusalOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}
