import { SecretsError } from '../../errors';
import { rejectUnknownOptions } from '../../internal/options';
import type { SecretStore } from '../../store/types';
import type { Authorize, AuthorizeRequest } from '../types';
import { secretMatch } from './secret-match';

export interface QuerySecretOptions {
  /** The query parameter. Default: `code`. */
  readonly parameter?: string;
  /** A header that may hold it instead, after `Bearer ` or alone. Default: none. */
  readonly header?: string;
}

const WHERE = 'querySecret';

/**
 * Lets in who shows a secret of the store: in the query of the url, or in a header. After a rotation the new value is
 * taken, and the old one too while it is within `keepPreviousMs` of its definition: so rotate the secret first, then
 * change the subscription.
 *
 * A url may end up in the access log of a proxy; Event Grid can send a header instead, as a delivery property.
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
  name: keyof V & string,
  options: QuerySecretOptions = {},
): Authorize {
  rejectUnknownOptions(WHERE, options, ['parameter', 'header']);
  const { parameter = 'code', header } = options;
  assertName('parameter', parameter);
  if (header !== undefined) assertName('header', header);
  const isValid = secretMatch(WHERE, store, name);
  return ({ url, headers }: AuthorizeRequest) => {
    const inHeader = header === undefined ? null : headers.get(header);
    return [url.searchParams.get(parameter), inHeader?.replace(/^bearer +/i, '')].some(
      (shown) => typeof shown === 'string' && shown !== '' && isValid(shown),
    );
  };
}

function assertName(option: string, value: unknown): void {
  if (typeof value === 'string' && /^[\w.-]+$/.test(value)) return;
  throw new SecretsError('OPTION_INVALID', `${option} of ${WHERE} is no name`);
}
