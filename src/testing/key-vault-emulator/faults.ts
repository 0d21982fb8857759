import { SecretsError } from '../../errors';
import { count, ms, type Option, oneOf, readOptions } from '../../internal/options';
import { unrefTimer } from '../../internal/time';
import { entraBusy, entraError, entraUnavailable, identityRefused } from './entra-errors';
import type { HostResponse } from './server';
import {
  forbiddenByConnection,
  forbiddenByFirewall,
  forbiddenByPolicy,
  forbiddenByRbac,
  secretDisabled,
  throttled,
  tokenExpired,
  unavailable,
  type VaultContext,
  vaultError,
} from './vault-errors';

/** What goes wrong, and where. */
export interface KeyVaultFault {
  /** What goes wrong. */
  readonly kind: KeyVaultFaultKind;
  /**
   * `vault`: requests with a valid token, so the challenge before them stays as it is. `entra`: requests for a token.
   * Default: `vault`.
   */
  readonly at?: 'vault' | 'entra';
  /** Limits the fault to requests for these secrets. Default: every request, including lists. */
  readonly names?: readonly string[];
  /** The number of requests. Default: every one until the fault is lifted. */
  readonly times?: number;
  /** The status of `unavailable` (default 503), `empty-body` (default 500) and `html` (default 200). */
  readonly status?: number;
  /** The AADSTS number of `refused`. Default: 53003, Conditional Access. */
  readonly number?: number;
  /** Sent with `throttled` and `unavailable`. Default: no `Retry-After`, as recorded from the service. */
  readonly retryAfterSeconds?: number;
  /** The delay of `slow`. Default: 1000. */
  readonly delayMs?: number;
}

/**
 * - `unauthorized`: 401, the token is refused
 * - `rbac`, `firewall`, `private`, `policy`: 403; only the inner error differs. `private`: public access is disabled
 * - `disabled`: 403, as for a disabled secret
 * - `throttled`: 429
 * - `unavailable`: 5xx
 * - `empty-body`: an error without a body
 * - `html`: a page, as a portal or a proxy sends it, with any status
 * - `other-service`: 404 in JSON, as any service but a vault answers
 * - `refused`: Entra ID refuses the identity with an AADSTS number
 * - `bad-json`: the right response, truncated: it still holds most of the value
 * - `hang-before-headers`, `hang-in-body`: a response that never starts, or never ends
 * - `reset`: the connection closes without a response
 * - `slow`: the right response, late
 *
 * At `entra`, `unauthorized`, `rbac`, `firewall`, `private`, `policy`, `disabled` and `other-service` do not exist. `refused`
 * exists only there. To make Entra ID refuse a projected token, use `projectToken`.
 */
export type KeyVaultFaultKind =
  | 'unauthorized'
  | 'rbac'
  | 'firewall'
  | 'private'
  | 'policy'
  | 'disabled'
  | 'throttled'
  | 'unavailable'
  | 'empty-body'
  | 'html'
  | 'other-service'
  | 'refused'
  | 'bad-json'
  | 'hang-before-headers'
  | 'hang-in-body'
  | 'reset'
  | 'slow';

/** All kinds. `true` if the kind exists at Entra ID too. */
const KINDS: Readonly<Record<KeyVaultFaultKind, boolean>> = {
  unauthorized: false,
  rbac: false,
  firewall: false,
  private: false,
  policy: false,
  disabled: false,
  throttled: true,
  unavailable: true,
  'empty-body': true,
  html: true,
  'other-service': false,
  refused: true,
  'bad-json': true,
  'hang-before-headers': true,
  'hang-in-body': true,
  reset: true,
  slow: true,
};

type Fault = ReturnType<typeof readFault>;

/** @throws `OPTION_UNKNOWN`, `OPTION_INVALID` */
function readFault(fault: KeyVaultFault) {
  const read = readOptions('fail()', fault, {
    kind,
    at: oneOf<'vault' | 'entra'>('vault', 'entra'),
    names,
    times: count(Number.POSITIVE_INFINITY),
    status: count(undefined, { least: 100, most: 599 }),
    number: count(53003),
    retryAfterSeconds: count(),
    delayMs: ms(1_000),
  });
  if (read.at === 'entra' && (!KINDS[read.kind] || read.names !== undefined)) {
    const what = KINDS[read.kind] ? '`names` has' : `the kind "${read.kind}" has`;
    throw new SecretsError('OPTION_INVALID', `fail(): ${what} no effect at Entra ID`, {
      next: 'To make Entra ID refuse a token, write one that it refuses with projectToken().',
    });
  }
  if (read.at === 'vault' && read.kind === 'refused') {
    throw new SecretsError('OPTION_INVALID', 'fail(): the kind "refused" exists only at Entra ID', {
      next: "Pass at: 'entra'.",
    });
  }
  return read;
}

const kind: Option<KeyVaultFaultKind> = (given) => {
  if (typeof given === 'string' && Object.hasOwn(KINDS, given)) return given as KeyVaultFaultKind;
  throw new SecretsError('OPTION_INVALID', `fail(): \`kind\` must be a known kind of fault`, {
    next: `The kinds are: ${Object.keys(KINDS).join(', ')}.`,
  });
};

const names: Option<readonly string[] | undefined> = (given, reject) => {
  if (given === undefined) return undefined;
  const valid = Array.isArray(given) && given.every((name) => typeof name === 'string');
  return valid ? (given as readonly string[]) : reject('an array of names');
};

/** The faults that are in effect. */
export class Faults {
  /** The newest first. */
  #active: { readonly fault: Fault; left: number }[] = [];

  add(given: KeyVaultFault): () => void {
    const fault = readFault(given);
    const added = { fault, left: fault.times };
    this.#active.unshift(added);
    return () => {
      this.#active = this.#active.filter((one) => one !== added);
    };
  }

  /** Returns the fault that applies to a request. Counts the request as one of its `times`. */
  take(at: 'vault' | 'entra', secret?: string): Fault | undefined {
    const taken = this.#active.find(({ fault, left }) => left > 0 && matches(fault, at, secret));
    if (taken !== undefined) taken.left -= 1;
    return taken?.fault;
  }
}

function matches(fault: Fault, at: 'vault' | 'entra', secret: string | undefined): boolean {
  if (fault.at !== at) return false;
  if (fault.names === undefined) return true;
  return fault.names.some((name) => name.toLowerCase() === secret?.toLowerCase());
}

/** The response of the vault under a fault, to a request for `secret` or for a list. */
export async function faultyVaultResponse(
  fault: Fault,
  respond: () => HostResponse,
  context: VaultContext,
  secret: string | undefined,
): Promise<HostResponse> {
  switch (fault.kind) {
    case 'unauthorized':
      return tokenExpired(context.tenantId);
    case 'rbac':
      return forbiddenByRbac(context, secret);
    case 'firewall':
      return forbiddenByFirewall(context);
    case 'private':
      return forbiddenByConnection();
    case 'other-service':
      return vaultError(404, 'NotFound', 'The requested resource was not found.');
    case 'policy':
      return forbiddenByPolicy(context, secret);
    case 'disabled':
      return secretDisabled();
    case 'throttled':
      return withRetryAfter(throttled(), fault);
    case 'unavailable':
      return withRetryAfter(unavailable(fault.status ?? 503), fault);
    default:
      return broken(fault, async () => respond());
  }
}

/** The response of Entra ID under a fault, to a request for a token. */
export async function faultyTokenResponse(
  fault: Fault,
  respond: () => Promise<HostResponse>,
  correlationId: string,
): Promise<HostResponse> {
  switch (fault.kind) {
    case 'throttled':
      return withRetryAfter(entraError(entraBusy(), correlationId), fault);
    case 'unavailable':
      return withRetryAfter(entraError(entraUnavailable(fault.status ?? 503), correlationId), fault);
    case 'refused':
      return entraError(identityRefused(fault.number), correlationId);
    default:
      return broken(fault, respond);
  }
}

/** The faults that do not depend on what is requested. */
async function broken(fault: Fault, respond: () => Promise<HostResponse>): Promise<HostResponse> {
  switch (fault.kind) {
    case 'empty-body':
      return { status: fault.status ?? 500, body: undefined };
    case 'html':
      return { status: fault.status ?? 200, body: '<html><body>Sign in</body></html>', type: 'text/html' };
    case 'bad-json':
      return { ...(await respond()), delivery: 'cut' };
    case 'hang-before-headers':
    case 'hang-in-body':
    case 'reset':
      return { ...(await respond()), delivery: fault.kind };
    default:
      await new Promise<void>((resolve) => unrefTimer(fault.delayMs, resolve));
      return respond();
  }
}

function withRetryAfter(response: HostResponse, { retryAfterSeconds }: Fault): HostResponse {
  if (retryAfterSeconds === undefined) return response;
  return { ...response, headers: { ...response.headers, 'Retry-After': String(retryAfterSeconds) } };
}
