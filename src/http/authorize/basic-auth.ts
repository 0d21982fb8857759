import { SecretsError } from '../../errors';
import { rejectUnknownOptions } from '../../internal/options';
import type { SecretStore } from '../../store/types';
import type { Authorize, AuthorizeRequest } from '../types';
import { secretMatch } from './secret-match';

export interface BasicAuthOptions {
  /** The user name that goes with it. Default: any. */
  readonly user?: string;
  /** What the browser calls the place. Default: `secrets`. */
  readonly realm?: string;
}

const WHERE = 'basicAuth';

/**
 * Lets in who shows a secret of the store as the password of HTTP Basic authentication: what a browser asks a person for.
 * After a rotation the new value is taken, and the old one too while it is within `keepPreviousMs` of its definition.
 * Over plain HTTP it can be read on the way.
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
  name: keyof V & string,
  options: BasicAuthOptions = {},
): Authorize {
  rejectUnknownOptions(WHERE, options, ['user', 'realm']);
  const { user, realm = 'secrets' } = options;
  if (user !== undefined && (typeof user !== 'string' || user.includes(':'))) {
    throw new SecretsError('OPTION_INVALID', `user of ${WHERE} is no user name`, {
      next: 'It has no colon.',
    });
  }
  if (!/^[\w .-]+$/.test(realm)) throw new SecretsError('OPTION_INVALID', `realm of ${WHERE} is no name`);
  const matches = secretMatch(WHERE, store, name);

  const authorize = ({ headers }: AuthorizeRequest): boolean => {
    const encoded = /^basic +([\w+/=-]+)$/i.exec(headers.get('authorization') ?? '')?.[1];
    if (encoded === undefined) return false;
    const [shownUser, ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
    // The password may have colons. Both halves are looked at, so that the time says nothing about the user.
    const password = rest.join(':');
    const isValid = matches(password);
    return isValid && password !== '' && (user === undefined || user === shownUser);
  };
  return Object.assign(authorize, { challenge: `Basic realm="${realm}", charset="UTF-8"` });
}
