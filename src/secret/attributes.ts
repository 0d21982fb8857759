/** Metadata that a source keeps with a value. None of it is secret. */
export interface SecretAttributes {
  /** The content type as the source reports it: `application/x-pem-file`, `text/plain`. */
  readonly contentType?: string;
  /** The value should not be used after this time. It stays in use, with the problem `VALUE_EXPIRED`. */
  readonly expiresOn?: Date;
  /** The store does not use the value before this time (`VALUE_NOT_YET_VALID`). */
  readonly notBefore?: Date;
  /** When the source created this version. */
  readonly createdOn?: Date;
  /**
   * True for a token, which most servers check only at a login. `createPool` keeps its connections when the next one arrives.
   */
  readonly token?: boolean;
  /** Labels stored with the value, for example the user name that belongs to a password. */
  readonly tags: Readonly<Record<string, string>>;
}

export const NO_ATTRIBUTES: SecretAttributes = Object.freeze({ tags: Object.freeze({}) });

/**
 * Returns a frozen copy. Each read of a date returns a new `Date`, so that callers cannot change it for others.
 * @throws `TypeError` if the attributes have another shape.
 */
export function sealAttributes({
  contentType,
  expiresOn,
  notBefore,
  createdOn,
  token,
  tags,
}: SecretAttributes): SecretAttributes {
  const labels = Object.entries(tags);
  if (labels.some(([, value]) => typeof value !== 'string')) throw new TypeError('tags must be strings');
  const sealed = { tags: Object.freeze(Object.fromEntries(labels)) };
  if (contentType !== undefined) Object.assign(sealed, { contentType: String(contentType) });
  if (token !== undefined) Object.assign(sealed, { token: token === true });
  for (const [name, date] of Object.entries({ expiresOn, notBefore, createdOn })) {
    if (date === undefined) continue;
    const time = date.getTime();
    if (Number.isNaN(time)) throw new TypeError(`${name} must be a date`);
    Object.defineProperty(sealed, name, { enumerable: true, get: () => new Date(time) });
  }
  return Object.freeze(sealed);
}
