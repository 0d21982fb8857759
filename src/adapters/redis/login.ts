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
  assertPorts(name, rest);
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

interface Place {
  readonly port?: unknown;
}

/** Node repeats a port that it refuses in its message. */
function assertPorts(name: string, options: Omit<LoginOptions, 'url'>): void {
  const { socket, nodes, sentinels, ...rest } = options as Place &
    Record<'socket' | 'nodes' | 'sentinels', unknown>;
  const places = [rest, socket, nodes, sentinels].flat() as readonly (Place | null | undefined)[];
  for (const place of places) {
    const port = place?.port;
    if (port === undefined || (Number.isInteger(Number(port)) && Number(port) >= 0 && Number(port) < 65_536))
      continue;
    const what = `the recipe of the ${name} returned a \`port\` that is not a port`;
    throw new SecretsError('RECIPE_FAILED', what, { next: 'Return a number from 0 to 65535.' });
  }
}

/** Separates a URL from its user information: node-redis would prefer that to a credentials provider. */
function addressOf(name: string, url: string) {
  const [, scheme = '', user, rest = ''] = /^([a-z]+:\/\/)(?:([^/?#]*)@)?(.*)$/is.exec(url) ?? [];
  if (scheme !== '' && rest !== '') {
    try {
      const [, username = '', password = ''] = /^([^:]*):?(.*)$/s.exec(user ?? '') ?? [];
      // The error of a client would contain the rest, which may be a part of the password.
      new URL(scheme + rest);
      return {
        url: scheme + rest,
        username: decodeURIComponent(username) || undefined,
        password: decodeURIComponent(password) || undefined,
      };
    } catch {
      // Falls through: no address, or an incomplete percent sequence.
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

/**
 * Logs in at every place at once. The first answer counts, whether it accepts or refuses; a place that is down gives none.
 * @throws The refusal, or the last error if no place answers.
 */
export function logInAnywhere<P>(
  places: readonly P[],
  signal: AbortSignal,
  logIn: (place: P, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const over = new AbortController();
  const stop = () => over.abort();
  signal.addEventListener('abort', stop, { once: true });
  let left = places.length;
  return new Promise<void>((resolve, reject) => {
    for (const place of places) {
      logIn(place, over.signal).then(resolve, (error: unknown) => {
        left -= 1;
        if (left === 0 || refusalOf(error) !== undefined) reject(error);
      });
    }
  }).finally(() => {
    signal.removeEventListener('abort', stop);
    stop();
  });
}
