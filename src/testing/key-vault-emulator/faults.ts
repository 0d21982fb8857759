import { SecretsError } from '../../errors';
import { assertNumber, rejectUnknownOptions } from '../../internal/options';
import type { KeyVaultFault, KeyVaultFaultKind } from './types';

/** Who takes part: `true` where the kind is known at Entra, too. */
const KINDS: Readonly<Record<KeyVaultFaultKind, boolean>> = {
  unauthorized: false,
  rbac: false,
  firewall: false,
  policy: false,
  disabled: false,
  throttled: true,
  unavailable: true,
  'empty-body': true,
  'bad-json': true,
  'hang-before-headers': true,
  'hang-in-body': true,
  reset: true,
  slow: true,
};

const OPTIONS = ['kind', 'at', 'names', 'times', 'status', 'retryAfterSeconds', 'delayMs'];

interface Switch {
  readonly fault: KeyVaultFault;
  left: number;
}

/** The faults that are switched on. */
export class Faults {
  /** The newest first. */
  #switches: Switch[] = [];

  add(fault: KeyVaultFault): () => void {
    assertFault(fault);
    const own = { fault, left: fault.times ?? Number.POSITIVE_INFINITY };
    this.#switches.unshift(own);
    return () => {
      this.#switches = this.#switches.filter((one) => one !== own);
    };
  }

  /** The fault that a request meets; counts as one of its `times`. */
  take(at: 'vault' | 'entra', secret?: string): KeyVaultFault | undefined {
    const own = this.#switches.find(({ fault, left }) => left > 0 && matches(fault, at, secret));
    if (own !== undefined) own.left -= 1;
    return own?.fault;
  }
}

function matches(fault: KeyVaultFault, at: 'vault' | 'entra', secret: string | undefined): boolean {
  if ((fault.at ?? 'vault') !== at) return false;
  if (fault.names === undefined) return true;
  return fault.names.some((name) => name.toLowerCase() === secret?.toLowerCase());
}

function assertFault(fault: KeyVaultFault): void {
  rejectUnknownOptions('fail()', fault, OPTIONS);
  if (!Object.hasOwn(KINDS, fault.kind)) {
    throw new SecretsError('OPTION_INVALID', `fail() knows no kind ${JSON.stringify(fault.kind)}`, {
      next: `The kinds are: ${Object.keys(KINDS).join(', ')}.`,
    });
  }
  if (fault.at === 'entra' && (!KINDS[fault.kind] || fault.names !== undefined)) {
    const what = KINDS[fault.kind] ? 'names' : `the kind "${fault.kind}"`;
    throw new SecretsError('OPTION_INVALID', `fail() has no use for ${what} at Entra`, {
      next: 'To make Entra refuse a token, write one that it refuses with projectToken().',
    });
  }
  for (const option of ['times', 'status', 'retryAfterSeconds', 'delayMs'] as const) {
    if (fault[option] !== undefined) assertNumber('fail()', option, fault[option]);
  }
}
