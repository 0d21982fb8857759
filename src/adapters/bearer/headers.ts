import { SecretsError } from '../../errors';
import { kindOf } from '../../internal/options';
import { isSecret } from '../../secret/secret';
import type { Snapshot } from '../../store/types';

/** What authenticates a request: a bearer token, or headers by name. */
export type Credentials = string | Readonly<Record<string, string>>;

/** Turns a snapshot into what authenticates a request. Synchronous; the client follows the secrets that it reads. */
export type CredentialsRecipe<V> = (snapshot: Snapshot<V>) => Credentials;

/** Names in lower case. A header occurs once. */
export type CredentialHeaders = Readonly<Record<string, string>>;

const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
/** `fetch` takes these away, as HTTP does. Other clients refuse a line break. */
const OUTER_SPACE = /^[\t\n\r ]+|[\t\n\r ]+$/g;

/** The characters that a value may have. */
export const HTTP_VALUE = /^[\t\x20-\x7e\x80-\xff]+$/;

/** Makes one object of every result, for `runRecipe`: a token is that of `Authorization: Bearer`. */
export function asHeaders<V>(
  name: string,
  recipe: CredentialsRecipe<V>,
): (snapshot: Snapshot<V>) => CredentialHeaders {
  // The check of the arguments says what is wrong with anything else.
  if (typeof recipe !== 'function') return recipe;
  return (snapshot) => {
    const returned: unknown = recipe(snapshot);
    if (typeof returned === 'string' && returned.replace(OUTER_SPACE, '') !== '') {
      return { authorization: `Bearer ${returned.replace(OUTER_SPACE, '')}` };
    }
    const isBox = isSecret(returned);
    const isOther = typeof returned !== 'object' || Array.isArray(returned) || ArrayBuffer.isView(returned);
    if (returned !== null && !isOther && !isBox) return returned as CredentialHeaders;
    const kind = ArrayBuffer.isView(returned) ? 'bytes' : kindOf(returned);
    const what = `the recipe of the ${name} returned ${isBox ? 'a box' : kind}`;
    throw new SecretsError('RECIPE_FAILED', what, {
      next: isBox
        ? "Return its value: call s.reveal('…') instead of s.get('…')."
        : "Return a token, or headers by name: (s) => ({ 'x-api-key': s.reveal('…') }).",
    });
  };
}

/**
 * Checks headers before a client sees them: the errors of clients contain the value.
 * @throws `RECIPE_FAILED`.
 */
export function checkedHeaders(
  name: string,
  headers: CredentialHeaders,
  allowed = HTTP_VALUE,
): CredentialHeaders {
  const fail = (what: string, next: string) =>
    new SecretsError('RECIPE_FAILED', `the recipe of the ${name} returned ${what}`, { next });
  const given = Object.entries(headers as Readonly<Record<string, unknown>>);
  if (given.length === 0) throw fail('no header', 'Return a token, or headers by name.');
  const checked: Record<string, string> = {};
  for (const [header, value] of given) {
    // A token in the place of a name must not be printed.
    if (!NAME.test(header)) throw fail('a header whose name is not valid', 'Return headers by name.');
    if (typeof value !== 'string') {
      throw fail(`${kindOf(value)} as the header \`${header}\``, 'Return the value of the header, a string.');
    }
    const text = value.replace(OUTER_SPACE, '');
    if (text === '')
      throw fail(`an empty header \`${header}\``, 'Check that the recipe reads the right secret.');
    if (!allowed.test(text)) {
      throw fail(
        `a header \`${header}\` with a character that no header may have`,
        'Check the secret for a line break or an invisible character; encode what is not ASCII.',
      );
    }
    const lower = header.toLowerCase();
    if (checked[lower] !== undefined) throw fail(`the header \`${lower}\` twice`, 'Return it once.');
    checked[lower] = text;
  }
  return Object.freeze(checked);
}
