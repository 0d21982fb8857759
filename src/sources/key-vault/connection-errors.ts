import { SecretsError } from '../../errors';
import { errorCode } from '../../internal/describe-error';

/** A request of a credential that failed. */
export interface FailedRequest {
  readonly error: unknown;
  readonly host: string;
}

/** Explains why a proxy did not connect to `host`. `proxy` is its address without a password. */
export function proxyRefused(proxy: string, status: number | undefined, host: string): SecretsError {
  if (status === 407) {
    const what = `${proxy} demands a login before it connects to ${host} (status 407)`;
    return connectionFailed(
      'VAULT_PROXY_REFUSED',
      what,
      'Write it into the variable: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT.',
    );
  }
  const exclude = `If ${host} can be reached without the proxy, add it to NO_PROXY.`;
  if (status === undefined || status >= 500) {
    const what = `${proxy} does not connect to ${host}${status === undefined ? '' : ` (status ${status})`}`;
    return connectionFailed('VAULT_UNAVAILABLE', what, `Check the proxy and its DNS. ${exclude}`);
  }
  const what = `${proxy} refuses to connect to ${host} (status ${status})`;
  return connectionFailed('VAULT_PROXY_REFUSED', what, `Allow ${host} at the proxy. ${exclude}`);
}

/** Explains why the TLS handshake with `host` failed, if the reason is its certificate. */
export function untrustedServer(error: unknown, host: string): SecretsError | undefined {
  const code = errorCode(error);
  if (code === undefined) return undefined;
  const what = `the certificate of ${host} is not trusted (${code})`;
  if (CERTIFICATE_TIMES.has(code)) {
    const next =
      'Compare the clock of the node with the actual time. If it is right, the certificate has to be replaced.';
    return connectionFailed('VAULT_UNTRUSTED', what, next);
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const next =
      'It is for another name: something else answers at this address. Check the DNS, and proxies on the way.';
    return connectionFailed('VAULT_UNTRUSTED', what, next);
  }
  if (!UNKNOWN_ISSUERS.has(code)) return undefined;
  const next =
    'If a proxy inspects TLS, let Node trust its authority: NODE_EXTRA_CA_CERTS=/path/to/ca.pem, set before the process ' +
    'starts. Or pass the option agent with `ca`.';
  return connectionFailed('VAULT_UNTRUSTED', what, next);
}

const CERTIFICATE_TIMES: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

const UNKNOWN_ISSUERS: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'INVALID_CA',
]);

function connectionFailed(
  code: 'VAULT_PROXY_REFUSED' | 'VAULT_UNAVAILABLE' | 'VAULT_UNTRUSTED',
  what: string,
  next: string,
): SecretsError {
  return new SecretsError(code, what, { source: 'key-vault', next });
}
