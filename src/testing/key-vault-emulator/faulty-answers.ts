import { unrefTimer } from '../../internal/time';
import type { Answer } from './answer';
import { entraBusy, entraError, entraUnavailable } from './entra-errors';
import type { KeyVaultFault } from './types';
import {
  forbiddenByFirewall,
  forbiddenByPolicy,
  forbiddenByRbac,
  secretDisabled,
  throttled,
  tokenExpired,
  unavailable,
  type VaultContext,
} from './vault-errors';

/** What the vault answers under a fault, to a request for `secret` or for a list. */
export async function faultyVaultAnswer(
  fault: KeyVaultFault,
  real: () => Answer,
  context: VaultContext,
  secret: string | undefined,
): Promise<Answer> {
  switch (fault.kind) {
    case 'unauthorized':
      return tokenExpired(context.tenantId);
    case 'rbac':
      return forbiddenByRbac(context, secret);
    case 'firewall':
      return forbiddenByFirewall(context);
    case 'policy':
      return forbiddenByPolicy(context, secret);
    case 'disabled':
      return secretDisabled();
    case 'throttled':
      return later(throttled(), fault);
    case 'unavailable':
      return later(unavailable(fault.status ?? 503), fault);
    default:
      return broken(fault, async () => real());
  }
}

/** What Entra answers under a fault, to a request for a token. */
export async function faultyTokenAnswer(
  fault: KeyVaultFault,
  real: () => Promise<Answer>,
  correlationId: string,
): Promise<Answer> {
  switch (fault.kind) {
    case 'throttled':
      return later(entraError(entraBusy(), correlationId), fault);
    case 'unavailable':
      return later(entraError(entraUnavailable(fault.status ?? 503), correlationId), fault);
    default:
      return broken(fault, real);
  }
}

/** The faults that know nothing of what is asked. */
async function broken(fault: KeyVaultFault, real: () => Promise<Answer>): Promise<Answer> {
  switch (fault.kind) {
    case 'empty-body':
      return { status: fault.status ?? 500, body: undefined };
    case 'bad-json':
      return { ...(await real()), delivery: 'cut' };
    case 'hang-before-headers':
    case 'hang-in-body':
    case 'reset':
      return { ...(await real()), delivery: fault.kind };
    default:
      await new Promise<void>((resolve) => unrefTimer(fault.delayMs ?? 1000, resolve));
      return real();
  }
}

function later(answer: Answer, { retryAfterSeconds }: KeyVaultFault): Answer {
  if (retryAfterSeconds === undefined) return answer;
  return { ...answer, headers: { ...answer.headers, 'Retry-After': String(retryAfterSeconds) } };
}
