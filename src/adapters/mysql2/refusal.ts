import type { SecretsError } from '../../errors';
import { describeError } from '../../internal/describe-error';
import { credentialRefused, testLoginFailed } from '../pools/failures';
import { certificateAlert } from '../tls/alert';

/**
 * The numbers with which MySQL and MariaDB refuse a credential. Never their names: mysql2 knows those of MySQL only, and gives
 * the errors of MariaDB other names.
 */
const REFUSED: Readonly<Record<number, string>> = {
  1045: 'access denied',
  1698: 'access denied',
  1820: 'the password has expired',
  1862: 'the password has expired',
  3118: 'the account is locked',
  3955: 'the account is blocked after too many refused logins',
  4150: 'the account is blocked after too many refused logins',
  4151: 'the account is locked',
};

const LIMITS: Readonly<Record<number, string>> = {
  1040: 'too many connections to the server',
  1203: 'too many connections of the user',
  1226: 'a limit of the user is reached',
};

/** The messages of Node for a server certificate that the trusted authorities do not cover: mysql2 replaces its code. */
const UNTRUSTED =
  /^(self[- ]signed certificate|unable to (verify the first|get (local )?issuer) certificate|certificate signature failure|certificate not trusted|invalid CA certificate)/i;

const numberOf = (error: unknown) => {
  const { errno } = (error ?? {}) as { errno?: unknown };
  return typeof errno === 'number' ? errno : 0;
};

/**
 * Returns why the two sides refuse each other, which a newer secret may change; `undefined` for any other error. A server
 * certificate that the client does not trust only counts if the recipe names the authorities (`trusts`).
 */
export function refusalOf(error: unknown, trusts = true): string | undefined {
  const errno = numberOf(error);
  const why = REFUSED[errno];
  if (why !== undefined) return `error ${errno}: ${why}`;
  const alert = certificateAlert(error);
  if (alert !== undefined) return `TLS alert ${alert} about its certificate`;
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const untrusted = code === 'HANDSHAKE_SSL_ERROR' && UNTRUSTED.exec(String(message))?.[0];
  return trusts && untrusted ? `the server's certificate is not trusted: ${untrusted}` : undefined;
}

/** Whether the server compared the password and refused it, which counts towards a lock of the account. */
export const isWrongPassword = (error: unknown) => [1045, 1698].includes(numberOf(error));

/** Whether the server, or the user, has as many connections as it may. */
export const isTooMany = (error: unknown) => LIMITS[numberOf(error)] !== undefined;

/** Describes why a probe failed: `CREDENTIAL_REFUSED`, or `VERIFY_FAILED` for anything that a newer secret does not change. */
export function probeFailure(name: string, error: unknown): SecretsError {
  if (refusalOf(error) !== undefined) return refusal(name, error);
  const errno = numberOf(error);
  const limit = LIMITS[errno];
  return testLoginFailed(name, limit === undefined ? describeError(error) : `error ${errno}: ${limit}`);
}

export function refusal(name: string, error: unknown): SecretsError {
  return credentialRefused(name, refusalOf(error));
}
