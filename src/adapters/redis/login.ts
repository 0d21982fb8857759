import { SecretsError } from '../../errors';
import { describeError } from '../../internal/describe-error';

/** What one login sends, from one generation, and the other options that the recipe returned. */
export interface Login<Options> {
  readonly username: string | undefined;
  readonly password: string;
  /** Without a user name, a password, and the user information of a URL. */
  readonly options: Options;
}

interface LoginOptions {
  readonly username?: unknown;
  readonly password?: unknown;
  readonly url?: unknown;
}

/**
 * Makes a login from the options that a recipe returned. A user name or password next to `url` overrides that in it.
 * @throws `RECIPE_FAILED`.
 */
export function loginOf<Options extends object>(name: string, returned: Options): Login<Options> {
  const { username, password, url, ...rest } = returned as LoginOptions;
  const address = typeof url === 'string' ? addressOf(name, url) : undefined;
  const login = {
    username: username ?? address?.username,
    password: password ?? address?.password,
  };
  for (const [key, value] of Object.entries(login)) {
    if (typeof value === 'string' && (key !== 'password' || value !== '')) continue;
    if (key === 'username' && value === undefined) continue;
    throw new SecretsError('RECIPE_FAILED', `the recipe of the ${name} returned no text as \`${key}\``, {
      next: `Return it as text: (s) => ({ ${key}: s.reveal('…'), … }).`,
    });
  }
  const options = (address === undefined ? rest : { ...rest, url: address.url }) as Options;
  return { ...login, options } as Login<Options>;
}

/** Separates a URL from its user information: node-redis would prefer that to a credentials provider. */
function addressOf(name: string, url: string) {
  const [, scheme = '', user, rest = ''] = /^([a-z]+:\/\/)(?:([^/?#]*)@)?(.*)$/is.exec(url) ?? [];
  if (scheme !== '' && rest !== '') {
    try {
      const [, username = '', password = ''] = /^([^:]*):?(.*)$/s.exec(user ?? '') ?? [];
      return {
        url: scheme + rest,
        username: decodeURIComponent(username) || undefined,
        password: decodeURIComponent(password) || undefined,
      };
    } catch {
      // Falls through: an incomplete percent sequence.
    }
  }
  throw new SecretsError(
    'RECIPE_FAILED',
    `the recipe of the ${name} returned a \`url\` that is not an address`,
    {
      next: 'Percent-encode the special characters of the password, or return username and password next to the url.',
    },
  );
}

/** The code of a reply that refuses a credential: `WRONGPASS`, `NOAUTH` or `NOPERM`. */
export function refusalOf(error: unknown): string | undefined {
  const { message } = (error ?? {}) as { readonly message?: unknown };
  return typeof message === 'string' ? /^(WRONGPASS|NOAUTH|NOPERM)\b/.exec(message)?.[1] : undefined;
}

export function refusal(name: string, code: string): SecretsError {
  const what = `the server refuses the credential of the ${name} (${code})`;
  return new SecretsError('CREDENTIAL_REFUSED', what, {
    next: 'Commands wait for a newer credential. Compare the secret with the users of the server (ACL LIST).',
  });
}

/** Describes why a test login failed: `CREDENTIAL_REFUSED`, or `VERIFY_FAILED` for what a newer secret does not change. */
export function probeFailure(name: string, error: unknown): SecretsError {
  const code = refusalOf(error);
  if (code !== undefined) return refusal(name, code);
  return new SecretsError(
    'VERIFY_FAILED',
    `a test login of the ${name} failed with ${describeError(error)}`,
    {
      next: 'It is retried; the old credential stays in use.',
    },
  );
}
