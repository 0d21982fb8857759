/** What a source says of a value beside its bytes. None of it is secret. */
export interface SecretAttributes {
  /** As the source calls it: `application/x-pem-file`, `text/plain`. */
  readonly contentType?: string;
  /** After this time the value should no longer be used; sources hand it out all the same. */
  readonly expiresOn?: Date;
  readonly notBefore?: Date;
  /** Labels that were stored with the value: the user name of a password, for example. */
  readonly tags: Readonly<Record<string, string>>;
}

export const NO_ATTRIBUTES: SecretAttributes = Object.freeze({ tags: Object.freeze({}) });
