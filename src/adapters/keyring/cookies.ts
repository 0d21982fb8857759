import type { KeyObject } from 'node:crypto';
import { SecretsError } from '../../errors';
import { builtin } from '../../internal/builtins';
import { oneOf, readOptions, text } from '../../internal/options';
import type { Keyring } from './keyring';
import type { SigningKey } from './signing-key';

/**
 * An item of `keyList`. It is a `KeyObject`, which prints without its value. The libraries take it like a string, as whose type
 * some of them declare their keys.
 */
export type ListedKey = string & KeyObject;

/**
 * Returns a list that follows the keyring: the signing key first, then the others that verify. For libraries that keep the list
 * by reference and read it each time: express-session, cookie-session, keygrip, cookies, Koa.
 *
 * @example
 * ```ts
 * app.use(session({ secret: keyList(keys), resave: false, saveUninitialized: false }));
 * ```
 */
export function keyList(keys: Keyring): ListedKey[] {
  assertSecret('keyList', keys);
  return listOf(keys, ({ verifyingKey }) => verifyingKey as ListedKey);
}

/**
 * Returns the same list with the values themselves, for cookie-parser, which takes only strings. Printing it shows them.
 *
 * @example
 * ```ts
 * app.use(cookieParser(revealKeyList(keys)));
 * ```
 */
export function revealKeyList(keys: Keyring): string[] {
  assertSecret('revealKeyList', keys, true);
  return listOf(keys, (key) => key.reveal() as string);
}

function listOf<T>(keys: Keyring, itemOf: (key: SigningKey) => T): T[] {
  const list: T[] = [];
  keys.watch(({ verifying }) => {
    list.splice(0, list.length, ...verifying.map(itemOf));
  });
  return list;
}

/**
 * Returns a signer of cookies for `@fastify/cookie` and `@fastify/session`, whose own signer copies the first of its secrets when
 * it is made. Cookies have the same format. `renew` is true for a cookie that an older key signed.
 *
 * @example
 * ```ts
 * await app.register(fastifyCookie, { secret: forFastifyCookie(keys) });
 * ```
 */
export function forFastifyCookie(keys: Keyring) {
  assertSecret('forFastifyCookie', keys);
  const macOf = (value: string, { verifyingKey }: SigningKey) =>
    builtin('crypto').createHmac('sha256', verifyingKey).update(value).digest('base64').replace(/=+$/, '');
  return {
    sign(value: string): string {
      if (typeof value !== 'string') throw new TypeError('Cookie value must be provided as a string.');
      return `${value}.${macOf(value, keys.signing)}`;
    },
    unsign(signed: string): UnsignedCookie {
      if (typeof signed !== 'string') throw new TypeError('Signed cookie string must be provided.');
      const dot = signed.lastIndexOf('.');
      const value = signed.slice(0, Math.max(0, dot));
      const mac = Buffer.from(signed.slice(dot + 1));
      const key =
        dot < 0 ? undefined : keys.verifying.find((one) => isEqual(Buffer.from(macOf(value, one)), mac));
      if (key === undefined) return { valid: false, renew: false, value: null };
      return { valid: true, renew: key !== keys.signing, value };
    },
  };
}

/** The result of reading a signed cookie, as `@fastify/cookie` has it. */
export type UnsignedCookie =
  | { readonly valid: true; readonly renew: boolean; readonly value: string }
  | { readonly valid: false; readonly renew: false; readonly value: null };

/**
 * Returns passwords for `iron-session` that follow the keyring. It seals with the highest id that it can list, so only the password
 * of the signing key is enumerable. Seals of the time before the keyring, whose id is 1, stay valid as long as their key verifies.
 * Needs texts of at least 32 characters.
 *
 * @example
 * ```ts
 * const session = await getIronSession(req, res, { cookieName: 'session', password: forIronSession(keys) });
 * ```
 */
export function forIronSession(keys: Keyring): Record<string, string> {
  assertSecret('forIronSession', keys, true);
  const passwords: Record<string, string> = {};
  keys.watch(({ signing, verifying }) => {
    for (const id of Object.getOwnPropertyNames(passwords)) delete passwords[id];
    // The oldest key: at first there is only one.
    define('1', verifying.at(-1) as SigningKey, false);
    for (const key of verifying) define(passwordId(key), key, key === signing);
  });
  // An accessor, because a printed object shows its values.
  function define(id: string, key: SigningKey, enumerable: boolean): void {
    Object.defineProperty(passwords, id, { get: () => key.reveal(), enumerable, configurable: true });
  }
  return passwords;
}

/** A whole number made from the id of the key: iron-session compares ids as numbers. */
function passwordId({ id }: SigningKey): string {
  return String(Buffer.from(id, 'base64url').readUIntBE(0, 6) + 2);
}

/** How a webhook is signed. */
export interface WebhookOptions {
  /** What comes before the signature, such as `sha256=`. Default: nothing. */
  readonly prefix?: string | undefined;
  /** How the signature is written. Default: `hex`. */
  readonly encoding?: 'hex' | 'base64' | 'base64url' | undefined;
  /** The hash of the HMAC. Default: `sha256`. */
  readonly hash?: 'sha256' | 'sha384' | 'sha512' | undefined;
}

/**
 * Signs and verifies bodies of webhooks with HMAC. `verify` takes the header with the signature, or with several that are separated
 * by blanks or commas, and returns true if a key of the keyring made one of them. Pass the raw body, not parsed JSON.
 *
 * Throws `SIGNING_KEY_INVALID`, `OPTION_INVALID`, `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * const webhooks = forWebhooks(keys, { prefix: 'sha256=' });
 * if (!webhooks.verify(body, request.headers['x-hub-signature-256'])) response.statusCode = 401;
 * ```
 */
export function forWebhooks(keys: Keyring, options?: WebhookOptions) {
  assertSecret('forWebhooks', keys);
  const { prefix, encoding, hash } = readOptions('forWebhooks', options, {
    prefix: text(),
    encoding: oneOf<'hex' | 'base64' | 'base64url'>('hex', 'base64', 'base64url'),
    hash: oneOf<'sha256' | 'sha384' | 'sha512'>('sha256', 'sha384', 'sha512'),
  });
  const macOf = (body: string | Uint8Array, { verifyingKey }: SigningKey) =>
    builtin('crypto').createHmac(hash, verifyingKey).update(body).digest();
  return {
    sign(body: string | Uint8Array): string {
      return `${prefix ?? ''}${macOf(body, keys.signing).toString(encoding)}`;
    },
    verify(body: string | Uint8Array, header: string | readonly string[] | undefined): boolean {
      const given = [header ?? []].flat().flatMap((one) => String(one).split(/[\s,]+/));
      const macs = given
        .filter((one) => prefix === undefined || one.startsWith(prefix))
        .map((one) => Buffer.from(one.slice(prefix?.length ?? 0), encoding));
      return keys.verifying.some((key) => {
        const expected = macOf(body, key);
        return macs.some((mac) => isEqual(expected, mac));
      });
    },
  };
}

/**
 * Calls `use` with each key that verifies, the signing key first, and returns the first result. For functions that take one secret and
 * throw if it does not fit: `stripe.webhooks.constructEvent`, for example. Throws the last error if none fits.
 *
 * @example
 * ```ts
 * const event = withAnyKey(keys, (key) => stripe.webhooks.constructEvent(body, signature, String(key.reveal())));
 * ```
 */
export function withAnyKey<T>(keys: Keyring, use: (key: SigningKey) => T): T {
  const all = keys.verifying;
  for (const key of all.slice(0, -1)) {
    try {
      return use(key);
    } catch {
      // The next key may fit.
    }
  }
  return use(all.at(-1) as SigningKey);
}

function isEqual(expected: Buffer, given: Buffer): boolean {
  return expected.length === given.length && builtin('crypto').timingSafeEqual(expected, given);
}

/** @throws `SIGNING_KEY_INVALID` for a keyring of key pairs, which cannot sign cookies. */
function assertSecret(where: string, keys: Keyring, needsText = false): void {
  const { verifyingKey } = keys.signing;
  const isText = !needsText || typeof keys.signing.reveal() === 'string';
  if (verifyingKey.type === 'secret' && isText) return;
  const what = verifyingKey.type === 'secret' ? 'bytes' : 'key pairs';
  throw new SecretsError(
    'SIGNING_KEY_INVALID',
    `${where} cannot use the ${what} of the keyring "${keys.name}"`,
    {
      secret: keys.name,
      next: needsText ? 'Use a keyring of secret.text.' : 'Use a keyring of secret.text or secret.bytes.',
    },
  );
}
