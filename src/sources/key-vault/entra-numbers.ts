/** What a refusal of Entra ID means that only a person can lift. */
export interface KnownRefusal {
  readonly what: string;
  readonly next: string;
}

const RESET = 'az ad app credential reset --id CLIENT_ID';
const SIGN_IN_LOG = 'The sign-in log of Entra ID names the policy; an administrator can change it.';
const LOG_IN = 'Log in again: az login --tenant TENANT_ID';
const DISABLED = 'An administrator of the tenant can enable it.';

const CONDITIONAL_ACCESS: KnownRefusal = {
  what: 'Conditional Access blocks the identity',
  next: SIGN_IN_LOG,
};
const SECOND_FACTOR: KnownRefusal = { what: 'the login needs a second factor', next: LOG_IN };
const LOGIN_EXPIRED: KnownRefusal = { what: 'the login has expired or was revoked', next: LOG_IN };

const REFUSALS: ReadonlyMap<number, KnownRefusal> = new Map([
  [
    7000215,
    {
      what: 'the client secret is wrong',
      next: `AZURE_CLIENT_SECRET must hold the value of the secret, not its id. A new one: ${RESET}`,
    },
  ],
  [7000222, { what: 'the client secret has expired', next: `Make a new one: ${RESET}` }],
  [
    7000218,
    { what: 'the request has no client secret, certificate or assertion', next: 'Configure one of them.' },
  ],
  [7000112, { what: 'the application is disabled', next: DISABLED }],
  [
    700027,
    {
      what: 'the assertion has a signature that does not verify',
      next: 'Register the certificate with the application. For a workload identity, check that the issuer publishes the keys of the cluster.',
    },
  ],
  [50057, { what: 'the user is disabled', next: DISABLED }],
  [50034, { what: 'the user does not exist in the tenant', next: LOG_IN }],
  [50020, { what: 'the user belongs to another tenant', next: LOG_IN }],
  [50126, { what: 'the user name or password is wrong', next: LOG_IN }],
  [50055, { what: 'the password has expired', next: LOG_IN }],
  [
    50105,
    {
      what: 'the user is not assigned to the application',
      next: 'An administrator can assign it in Entra ID.',
    },
  ],
  [
    65001,
    { what: 'nobody consented to the application', next: 'An administrator can grant consent in Entra ID.' },
  ],
  [
    500011,
    {
      what: 'the tenant does not know the resource https://vault.azure.net',
      next: 'Compare the tenant and the cloud of the identity with those of the vault: az cloud show',
    },
  ],
  ...[53000, 53001, 53002, 53003, 53004, 530002, 530003, 530004].map(
    (one) => [one, CONDITIONAL_ACCESS] as const,
  ),
  ...[50072, 50074, 50076, 50079, 50158].map((one) => [one, SECOND_FACTOR] as const),
  ...[50078, 50132, 50133, 50173, 70008, 70043, 700082, 700084].map((one) => [one, LOGIN_EXPIRED] as const),
]);

/** Numbers of a busy or broken Entra ID. */
const PASSING: ReadonlySet<number> = new Set([50000, 50196, 90006, 90025, 90033, 90055, 90092]);

/** The OAuth errors that mean a refusal. */
const REFUSED =
  /\b(access_denied|consent_required|interaction_required|invalid_client|invalid_grant|invalid_request|invalid_resource|invalid_scope|login_required|unauthorized_client)\b/;

/** What is known of an answer of Entra ID, from its number and its OAuth error. */
export function refusalOf(number: number): KnownRefusal | undefined {
  return REFUSALS.get(number);
}

/** The OAuth error in `message`, if it means that waiting does not help. */
export function oauthRefusal(number: number | undefined, message: string): string | undefined {
  return number !== undefined && PASSING.has(number) ? undefined : REFUSED.exec(message)?.[1];
}
