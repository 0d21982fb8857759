/** What a source knows about a value apart from its bytes. None of it is secret. */
export interface SecretAttributes {
  /** As the source calls it: `application/x-pem-file`, `text/plain`. */
  readonly contentType?: string;
  /** After this time the value should no longer be used; sources still return it. */
  readonly expiresOn?: Date;
  readonly notBefore?: Date;
  /** Labels that were stored with the value: the user name of a password, for example. */
  readonly tags: Readonly<Record<string, string>>;
}

export const NO_ATTRIBUTES: SecretAttributes = Object.freeze({ tags: Object.freeze({}) });

/**
 * A copy that callers cannot change: each read of a date returns a new one.
 * @throws `TypeError` for attributes in another shape.
 */
export function sealAttributes({
  contentType,
  expiresOn,
  notBefore,
  tags,
}: SecretAttributes): SecretAttributes {
  const labels = Object.entries(tags);
  if (labels.some(([, value]) => typeof value !== 'string')) throw new TypeError('tags must be strings');
  const sealed = { tags: Object.freeze(Object.fromEntries(labels)) };
  if (contentType !== undefined) Object.assign(sealed, { contentType: String(contentType) });
  for (const [name, date] of Object.entries({ expiresOn, notBefore })) {
    if (date === undefined) continue;
    const time = date.getTime();
    if (Number.isNaN(time)) throw new TypeError(`${name} must be a date`);
    Object.defineProperty(sealed, name, { enumerable: true, get: () => new Date(time) });
  }
  return Object.freeze(sealed);
}
