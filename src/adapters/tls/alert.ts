/** bad_certificate, unsupported_certificate, certificate_revoked, _expired, _unknown, unknown_ca, access_denied, certificate_required. */
const ABOUT_A_CERTIFICATE = new Set([42, 43, 44, 45, 46, 48, 49, 116]);

/**
 * Returns the number of the alert with which the peer refused our certificate (RFC 8446, 6.2), `undefined` for any other
 * error.
 */
export function certificateAlert(error: unknown): number | undefined {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  if (typeof message !== 'string') return undefined;
  // The code does not help: TLS 1.2 gives EPROTO, and OpenSSL 3.2 renamed most codes of TLS 1.3.
  const alert = Number(/SSL alert number (\d+)/.exec(message)?.[1]);
  return ABOUT_A_CERTIFICATE.has(alert) ? alert : undefined;
}
