import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { SecretsError } from '../errors';
import { type Option, readOptions } from '../internal/options';
import { assertStore } from '../store/assert-store';
import type { SecretStore } from '../store/types';
import type { Authorizer } from './types';

/** The names whose secrets an authorizer can compare: text or bytes that always have a value. */
export type ComparableName<V> = {
  [K in keyof V & string]: [V[K]] extends [string | Uint8Array] ? K : never;
}[keyof V & string];

/** Options of `basicAuth`. */
export interface BasicAuthOptions {
  /** The required user name. Default: any. */
  readonly user?: string | undefined;
  /** The name that browsers show for the protected area. Default: `secrets`. */
  readonly realm?: string | undefined;
}

/**
 * Authorizes requests whose Basic password equals a secret, so that a browser asks for it. After a rotation the new value
 * is valid; the previous one stays valid for the `keepPreviousMs` of its definition. Plain HTTP exposes the password.
 *
 * Throws `NAME_UNKNOWN`, `OPTION_INVALID` (also for a secret that is neither text nor bytes), `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * const page = statusHandler(secrets, { authorize: basicAuth(secrets, 'statusPassword') });
 * ```
 */
export function basicAuth<V>(
  store: SecretStore<V>,
  name: ComparableName<V>,
  options: BasicAuthOptions = {},
): Authorizer {
  const where = 'basicAuth';
  const { user, realm } = readOptions(where, options, {
    user: pattern(/^[^:]+$/, 'a user name without a colon'),
    realm: pattern(/^[\w .-]+$/, 'a name of letters, digits, spaces, dots and dashes'),
  });
  const matches = secretMatcher(where, store, name);

  const authorize: Authorizer = ({ headers }) => {
    const encoded = /^basic +([\w+/=-]+)$/i.exec(headers.get('authorization') ?? '')?.[1];
    if (encoded === undefined) return false;
    const [givenUser, ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
    // The password may contain colons. It is compared even for a wrong user, so the timing does not reveal the user.
    const password = rest.join(':');
    const isValid = matches(password);
    return isValid && password !== '' && (user === undefined || user === givenUser);
  };
  return Object.assign(authorize, { challenge: `Basic realm="${realm ?? 'secrets'}", charset="UTF-8"` });
}

/** Options of `querySecret`. */
export interface QuerySecretOptions {
  /** The query parameter. Default: `code`. */
  readonly parameter?: string | undefined;
  /** A header that may carry the secret instead, after `Bearer ` or alone. Default: none. */
  readonly header?: string | undefined;
}

/**
 * Authorizes requests that carry a secret in the query of the URL, or in a header. After a rotation the new value is valid;
 * the previous one stays valid for the `keepPreviousMs` of its definition. So rotate the secret first, then change the
 * sender.
 *
 * A URL may end up in the access log of a proxy. Event Grid can send a header instead, as a delivery property.
 *
 * Throws `NAME_UNKNOWN`, `OPTION_INVALID` (also for a secret that is neither text nor bytes), `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * const secrets = await SecretStore.open({
 *   secrets: { webhookCode: secret.text('webhook-code', { keepPreviousMs: 3_600_000 }) },
 * });
 * const handler = eventGridHandler(secrets, {
 *   authorize: querySecret(secrets, 'webhookCode', { header: 'authorization' }),
 * });
 * ```
 */
export function querySecret<V>(
  store: SecretStore<V>,
  name: ComparableName<V>,
  options: QuerySecretOptions = {},
): Authorizer {
  const where = 'querySecret';
  const token = /^[\w.-]+$/;
  const { parameter = 'code', header } = readOptions(where, options, {
    parameter: pattern(token, 'the name of a query parameter'),
    header: pattern(token, 'the name of a header'),
  });
  const matches = secretMatcher(where, store, name);
  return ({ url, headers }) => {
    const inHeader = header === undefined ? null : headers.get(header);
    return [url.searchParams.get(parameter), inHeader?.replace(/^bearer +/i, '')].some(
      (given) => typeof given === 'string' && given !== '' && matches(given),
    );
  };
}

function pattern(allowed: RegExp, mustBe: string): Option<string | undefined> {
  return (given, reject) => {
    if (given === undefined || (typeof given === 'string' && allowed.test(given))) return given;
    return reject(mustBe);
  };
}

/**
 * Compares a given text with a secret: its current value, and the previous one during its grace period. The secret is read
 * once at creation, so that a mistake stops the process from starting.
 *
 * @throws `NAME_UNKNOWN`, `OPTION_INVALID` for a secret that is neither text nor bytes.
 */
function secretMatcher<V>(
  where: string,
  store: SecretStore<V>,
  name: keyof V & string,
): (given: string) => boolean {
  assertStore(where, store, ['revealWithPrevious']);
  // Digests of equal length, with a key of this process, so the timing of a comparison does not reveal the secret.
  const key = randomBytes(32);
  const digest = (value: string | Uint8Array) => createHmac('sha256', key).update(value).digest();

  function values(): (string | Uint8Array)[] {
    const all: readonly unknown[] = store.revealWithPrevious(name);
    return all.map((value) => {
      if (typeof value === 'string' || value instanceof Uint8Array) return value;
      throw new SecretsError('OPTION_INVALID', `${where}: the secret "${name}" is neither text nor bytes`, {
        secret: name,
        next: 'Declare it with secret.text(…) or secret.bytes(…), or name another secret.',
      });
    });
  }

  values();
  return (given) => {
    const wanted = digest(given);
    // Compares every value, even after a match.
    return values()
      .map((value) => timingSafeEqual(digest(value), wanted))
      .includes(true);
  };
}
