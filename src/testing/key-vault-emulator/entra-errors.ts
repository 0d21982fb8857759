import { randomUUID } from 'node:crypto';
import type { HostResponse } from './server';

/** A refusal of Entra ID. */
export interface EntraRefusal {
  /** The number after `AADSTS`. */
  readonly number: number;
  /** The OAuth error. */
  readonly error: string;
  readonly status: number;
  readonly text: string;
}

/** Puts a refusal into the form that every error of Entra ID has. */
export function entraError(
  { number, error, status, text }: EntraRefusal,
  correlationId: string,
): HostResponse {
  const timestamp = `${new Date().toISOString().slice(0, 19).replace('T', ' ')}Z`;
  const trace = randomUUID();
  const ids = `Trace ID: ${trace} Correlation ID: ${correlationId} Timestamp: ${timestamp}`;
  return {
    status,
    body: {
      error,
      error_description: `AADSTS${number}: ${text} ${ids}`,
      error_codes: [number],
      timestamp,
      trace_id: trace,
      correlation_id: correlationId,
      error_uri: `https://login.microsoftonline.com/error?code=${number}`,
    },
  };
}

const CHECK =
  'Check your federated identity credential Subject, Audience and Issuer against the presented assertion. ' +
  'https://learn.microsoft.com/entra/workload-id/workload-identity-federation';

// The texts of 50027, 70021x, 700016, 700024, 7000215, 7000218 and 90002 are the service's own, from errors that users
// posted. For the others only number and meaning are known, from its list of error codes.

function noRecord(number: number, part: string, value: string, remark = ''): EntraRefusal {
  const text = `No matching federated identity record found for presented assertion ${part} '${value}'.${remark} ${CHECK}`;
  return { number, error: 'invalid_client', status: 401, text };
}

export function issuerUnknown(issuer: string): EntraRefusal {
  return noRecord(700211, 'issuer', issuer);
}

export function audienceUnknown(audience: string): EntraRefusal {
  return noRecord(700212, 'audience', audience);
}

export function subjectUnknown(subject: string): EntraRefusal {
  return noRecord(700213, 'subject', subject);
}

export function subjectInOtherCase(subject: string): EntraRefusal {
  const remark =
    ' The subject matches with case-insensitive comparison, but not with case-sensitive comparison.';
  return noRecord(7002138, 'subject', subject, remark);
}

export function assertionExpired(from: Date, until: Date): EntraRefusal {
  return {
    number: 700024,
    error: 'invalid_client',
    status: 401,
    text:
      `Client assertion is not within its valid time range. Current time: ${new Date().toISOString()}, assertion valid ` +
      `from ${from.toISOString()}, expiry time of assertion ${until.toISOString()}. Review the documentation at ` +
      'https://learn.microsoft.com/entra/identity-platform/certificate-credentials .',
  };
}

/** Any other refusal. Only the number and the form of the error are the service's own. */
export function identityRefused(number: number): EntraRefusal {
  return { number, error: 'invalid_client', status: 401, text: 'The identity is refused.' };
}

export function assertionForged(): EntraRefusal {
  const text = 'Client assertion failed signature validation.';
  return { number: 700027, error: 'invalid_client', status: 401, text };
}

export function assertionMalformed(): EntraRefusal {
  const text = 'JWT token is invalid or malformed.';
  return { number: 50027, error: 'invalid_request', status: 400, text };
}

export function appUnknown(clientId: string, tenantId: string): EntraRefusal {
  return {
    number: 700016,
    error: 'unauthorized_client',
    status: 400,
    text:
      `Application with identifier '${clientId}' was not found in the directory '${tenantId}'. This can happen if the ` +
      'application has not been installed by the administrator of the tenant or consented to by any user in the tenant. ' +
      'You may have sent your authentication request to the wrong tenant.',
  };
}

export function tenantUnknown(tenantId: string): EntraRefusal {
  return {
    number: 90002,
    error: 'invalid_request',
    status: 400,
    text:
      `Tenant '${tenantId}' not found. This may happen if there are no active subscriptions for the tenant. Check to make ` +
      'sure you have the correct tenant ID. Check with your subscription administrator.',
  };
}

export function secretWrong(clientId: string): EntraRefusal {
  return {
    number: 7000215,
    error: 'invalid_client',
    status: 401,
    text:
      'Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the ' +
      `client secret ID, for a secret added to app '${clientId}'.`,
  };
}

export function credentialMissing(): EntraRefusal {
  const text =
    "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
  return { number: 7000218, error: 'invalid_client', status: 401, text };
}

export function grantUnsupported(grant: string): EntraRefusal {
  const text = `The app requested an unsupported grant type '${grant}'.`;
  return { number: 70003, error: 'unsupported_grant_type', status: 400, text };
}

export function scopeInvalid(scope: string): EntraRefusal {
  return {
    number: 1002012,
    error: 'invalid_scope',
    status: 400,
    text:
      `The provided value for scope ${scope} is not valid. Client credential flows must have a scope value with ` +
      '/.default suffixed to the resource identifier (application ID URI).',
  };
}

export function entraBusy(): EntraRefusal {
  const text = 'TenantThrottlingError - There are too many incoming requests.';
  return { number: 90055, error: 'temporarily_unavailable', status: 429, text };
}

export function entraUnavailable(status: number): EntraRefusal {
  const text = 'A transient error has occurred. Please try again.';
  return { number: 90033, error: 'temporarily_unavailable', status, text };
}
