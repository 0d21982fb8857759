/**
 * Every code of `SecretsError`, with its meaning. A test checks that `docs/errors.md` has an entry for each of them.
 */
export const errorCodes = {
  // names and options
  NAME_INVALID: 'A name is not a valid secret alias, vault name or environment variable.',
  NAME_DUPLICATE: 'Two definitions read the same value.',
  NAME_UNKNOWN: 'The store does not know a name.',
  OPTION_UNKNOWN: 'An option does not exist; usually it is misspelt.',
  OPTION_INVALID: 'An option has an invalid value.',
  // finding values
  SECRET_MISSING: 'No source has a required secret.',
  SECRET_VANISHED: 'A secret is gone from its source; its last value stays in use.',
  MOUNT_MISSING: 'The mount directory does not exist.',
  MOUNT_EMPTY: 'The mount has no files.',
  MOUNT_NOT_DIRECTORY: 'The mount path is not a directory.',
  MOUNT_UNREADABLE: 'This user may not read the mount directory.',
  MOUNT_UNSTABLE: 'The mount changed during every attempt to read one consistent generation.',
  MOUNT_SUBPATH: 'The mount uses subPath, which Kubernetes never updates.',
  MOUNT_SINGLE_FILE: 'A file is mounted by itself, so a file that replaces it is never seen.',
  MOUNT_REPLACED: 'What is mounted was replaced or removed on the host; this process still sees the old one.',
  FILE_UNREADABLE: 'A file of the mount cannot be read.',
  FILE_OUTSIDE_MOUNT: 'A path or link leads out of the mount.',
  FILE_TOO_LARGE: 'A file is larger than the limit.',
  VARIABLE_OF_SYSTEM: 'A secret comes from a variable of the system or of a service link.',
  SOURCE_FAILED: 'A source could not be read; its last good values stay in use.',
  // Azure Key Vault
  VAULT_UNAUTHORIZED: 'The vault rejects the token of the identity.',
  VAULT_DENIED: 'The identity may not read a secret of the vault.',
  VAULT_FIREWALL: 'The vault does not accept requests from the network of the process.',
  VAULT_SECRET_DISABLED: 'A secret of the vault is disabled.',
  VAULT_THROTTLED: 'The vault throttles requests; the source slows down for a while.',
  VAULT_UNAVAILABLE: 'The vault cannot be reached, or answers with a server error.',
  VAULT_TIMEOUT: 'The vault or Entra ID did not answer in time.',
  VAULT_RESPONSE_INVALID: 'Something else than the vault answered, or the answer is not valid JSON.',
  VAULT_UNTRUSTED: 'The certificate of the vault or of Entra ID is not trusted.',
  VAULT_PROXY_REFUSED: 'A proxy refuses the connection to the vault or to Entra ID.',
  IDENTITY_MISSING: 'No credential is configured that can request a token.',
  IDENTITY_TOKEN_FILE: 'The projected token of the workload identity is missing, empty or not a token.',
  IDENTITY_SUBJECT_UNKNOWN: 'No federated credential matches the service account.',
  IDENTITY_ISSUER_UNKNOWN: 'No federated credential matches the issuer of the cluster.',
  IDENTITY_AUDIENCE_UNKNOWN: 'No federated credential matches the audience of the projected token.',
  IDENTITY_ASSERTION_EXPIRED: 'The projected token has expired.',
  IDENTITY_CLOCK_SKEW: 'Entra ID and the pod disagree on the time.',
  IDENTITY_UNKNOWN: 'Entra ID does not know the client in the tenant.',
  IDENTITY_REFUSED: 'Entra ID refuses the identity until somebody changes it.',
  IDENTITY_FAILED: 'Entra ID issued no token for another reason.',
  // tokens
  TOKEN_FAILED: 'The issuer of a token failed; the last token serves until it expires.',
  TOKEN_TIMEOUT: 'The issuer of a token did not answer in time.',
  TOKEN_INVALID: 'What was issued is not a token, or has no end, or had already expired.',
  // decoding values
  VALUE_EMPTY: 'A value is empty.',
  VALUE_UNRESOLVED: 'A value is a reference that the tool which injects secrets did not resolve.',
  VALUE_NOT_UTF8: 'A text or JSON value is not valid UTF-8.',
  VALUE_NOT_TEXT: 'A text has a NUL: it is UTF-16, binary or padded.',
  VALUE_SUSPECT: 'A text has white space, quotes or invisible characters that are probably a mistake.',
  VALUE_NOT_BASE64: 'A value is not valid base64.',
  VALUE_NOT_JSON: 'A value is not valid JSON.',
  VALUE_REFUSED: 'The schema of a secret refused its value.',
  VALUE_NOT_YET_VALID: 'A value is not valid yet, by its date in the source.',
  VALUE_EXPIRED: 'A value has expired, by its date in the source.',
  VALUE_EXPIRING: 'A certificate or another value expires soon.',
  // certificates and keys
  CERTIFICATE_MISSING: 'A TLS secret has no certificate.',
  CERTIFICATE_INVALID: 'A certificate cannot be parsed.',
  CERTIFICATE_EXPIRED: 'A certificate has expired.',
  CERTIFICATE_NOT_YET_VALID: 'A certificate is not valid yet.',
  CERTIFICATE_HOST_MISMATCH: 'A certificate does not cover one of its `hostNames`.',
  CERTIFICATE_UNRELATED: 'A certificate does not belong to the chain of the leaf.',
  CERTIFICATE_CHAIN_BROKEN: 'No client accepts a chain: its certificates did not issue each other.',
  CERTIFICATE_CHAIN_INCOMPLETE: 'A certificate comes without the intermediates that the one before had.',
  CERTIFICATE_PURPOSE_WRONG: 'A certificate may not be used for this side of a connection.',
  CERTIFICATE_KEY_UNSUPPORTED: 'The key of a certificate has a type that TLS does not offer.',
  PRIVATE_KEY_MISSING: 'A TLS secret has no private key.',
  PRIVATE_KEY_INVALID: 'A private key cannot be parsed.',
  PRIVATE_KEY_UNSUPPORTED: 'A private key uses encryption that OpenSSL 3 refuses.',
  PRIVATE_KEY_AMBIGUOUS: 'A TLS secret has more than one private key.',
  PRIVATE_KEY_MISMATCH: 'A private key does not belong to its certificate.',
  SIGNING_KEY_INVALID: 'A value cannot be used as a signing key.',
  PASSPHRASE_MISSING: 'A private key or PFX is encrypted, and no passphrase is declared.',
  PASSPHRASE_WRONG: 'A passphrase does not decrypt the private key or PFX.',
  PFX_INVALID: 'A PFX (PKCS#12) cannot be parsed.',
  PFX_UNSUPPORTED: 'A PFX uses encryption that OpenSSL 3 refuses.',
  // the store
  STORE_CLOSED: 'The store was used after close().',
  STORE_STALE: 'The last successful read of a source is older than its limit.',
  LISTENER_FAILED: 'A listener or hook threw, or did not settle; the others ran.',
  WATCH_UNAVAILABLE: 'A file watch could not start; polling finds changes.',
  SIGNAL_UNAVAILABLE: 'The process cannot receive signals.',
  // rotation
  RECIPE_FAILED: 'A recipe threw, or did not return options.',
  RECIPE_ASYNC: 'A recipe returned a promise instead of options.',
  RECIPE_READS_NOTHING: 'A recipe read no secret from its snapshot while it ran.',
  RECIPE_READS_STORE: 'A recipe read a secret from the store instead of its snapshot.',
  BUILD_FAILED: 'A new resource could not be built; the old one stays in use.',
  VERIFY_FAILED: 'A new resource was built but does not work; the old one stays in use.',
  VERIFY_TIMEOUT: 'Verification of a new resource timed out; the old one stays in use.',
  DRAIN_TIMEOUT: 'An old resource was still in use at its deadline and was closed by force.',
  DISPOSE_FAILED: 'An old resource could not be closed cleanly.',
  ROTATION_NOT_READY: 'A rotating resource was used before it was ready.',
  ROTATION_CLOSED: 'A rotating resource was used after close().',
  // endpoints
  KEYS_UNAVAILABLE: 'The keys that verify bearer tokens cannot be fetched.',
  // adapters
  PEER_MISSING: 'An optional package is not installed, or a bundler left it out.',
  PEER_UNSUPPORTED: 'An optional package is too old, or lacks what is used of it.',
  RUNTIME_UNSUPPORTED: 'The runtime lacks a function of Node.',
  CREDENTIAL_REFUSED: 'The server refuses the current credential; new connections wait for a newer one.',
  TLS_OPTIONS_INVALID: 'TLS options cannot be used: no pair, a mismatch, or a setting that OpenSSL refuses.',
  POOL_CLOSED: 'A pool was ended while a caller waited for a connection.',
} as const;

/** The stable codes of errors. */
export type SecretsErrorCode = keyof typeof errorCodes;

/** Facts about an error: names and advice, never a value. */
export interface SecretsErrorFacts {
  /** The name of the secret. */
  readonly secret?: string | undefined;
  /** The name of the source. */
  readonly source?: string | undefined;
  /** The name of the pool, server, agent or other resource. */
  readonly resource?: string | undefined;
  /** What to do next: one or two sentences, shown at the end of the message. */
  readonly next?: string | undefined;
}

const BRAND = Symbol.for('hot-secrets.error');

/**
 * The error class of this package. `code` is stable. The message says what happened, where, and what to do next; it never
 * contains a value. `cause` is never set, because errors of parsers and clients echo their input.
 *
 * @example
 * ```ts
 * secrets.on('error', (error) => log.warn({ code: error.code, secret: error.secret }, error.message));
 * ```
 */
export class SecretsError extends Error {
  override readonly name = 'SecretsError';
  readonly code: SecretsErrorCode;
  /** The message without the advice. */
  declare readonly what: string;
  declare readonly secret: string | undefined;
  declare readonly source: string | undefined;
  declare readonly resource: string | undefined;
  declare readonly next: string | undefined;

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isSecretsError(value);
  }

  /** The entry for `code` in the documentation: `docs/errors.md#CODE`. Printed and serialized errors leave it out. */
  get docs(): string {
    return `docs/errors.md#${this.code.toLowerCase()}`;
  }

  /** What `JSON.stringify` writes: errors have no message there otherwise. */
  toJSON(): object {
    const { name, code, message, secret, source, resource } = this;
    return { name, code, message, secret, source, resource };
  }

  constructor(code: SecretsErrorCode, what: string, facts: SecretsErrorFacts = {}) {
    super(facts.next === undefined ? `${what}.` : `${what}. ${facts.next}`);
    this.code = code;
    // A printed error shows only the facts that it has.
    for (const fact of ['secret', 'source', 'resource'] as const) {
      const value = facts[fact];
      if (value !== undefined) Object.defineProperty(this, fact, { value, enumerable: true });
    }
    // The message has both, so a printed error need not repeat them.
    Object.defineProperties(this, {
      what: { value: what },
      next: { value: facts.next },
      [BRAND]: { value: true },
    });
  }
}

/**
 * Returns true if `error` is a `SecretsError` and, if codes are given, has one of them, which narrows `error.code`. Like
 * `instanceof SecretsError`, it recognizes errors of the ESM and CJS copies of the package.
 *
 * @example
 * ```ts
 * if (isSecretsError(error, 'SECRET_MISSING', 'MOUNT_MISSING')) log.fatal({ code: error.code }, error.message);
 * ```
 */
export function isSecretsError(error: unknown): error is SecretsError;
export function isSecretsError<C extends SecretsErrorCode>(
  error: unknown,
  ...codes: readonly C[]
): error is SecretsError & { readonly code: C };
export function isSecretsError(error: unknown, ...codes: readonly SecretsErrorCode[]): error is SecretsError {
  if (!hasBrand(error)) return false;
  return codes.length === 0 || codes.includes((error as unknown as SecretsError).code);
}

/** A revoked proxy, which user code may throw, throws when it is inspected. */
function hasBrand(error: unknown): error is object {
  try {
    return typeof error === 'object' && error !== null && BRAND in error;
  } catch {
    return false;
  }
}

/** Returns a copy of the error with more facts, and with another text if one is given. */
export function withFacts(error: SecretsError, facts: SecretsErrorFacts, what = error.what): SecretsError {
  const { code, secret, source, resource, next } = error;
  return new SecretsError(code, what, { secret, source, resource, next, ...facts });
}
