import { randomUUID } from 'node:crypto';
import type { Jose } from '../../internal/peer';
import type { SigningKey } from './certificates';
import {
  appUnknown,
  credentialMissing,
  type EntraRefusal,
  entraError,
  grantUnsupported,
  scopeInvalid,
  secretWrong,
  tenantUnknown,
} from './entra-errors';
import { type Faults, faultyTokenResponse } from './faults';
import { type Host, type HostRequest, type HostResponse, header } from './server';
import { type AccessTokens, refuseAssertion } from './tokens';

export const ENTRA_HOST = 'login.microsoftonline.com';
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** The tenant with its one application. */
export interface Tenant {
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly lifetimeSeconds: number;
  /** Signs the federated tokens that the tenant trusts. */
  readonly cluster: SigningKey;
  /** Signs the access tokens of the tenant. */
  readonly key: SigningKey;
}

/** The part of Entra ID that a workload talks to: discovery, and tokens for an application. */
export class Entra implements Host {
  readonly name = ENTRA_HOST;
  readonly #jose: Jose;
  readonly #tenant: Tenant;
  readonly #tokens: AccessTokens;
  readonly #faults: Faults;

  constructor(jose: Jose, tenant: Tenant, tokens: AccessTokens, faults: Faults) {
    this.#jose = jose;
    this.#tenant = tenant;
    this.#tokens = tokens;
    this.#faults = faults;
  }

  headers(): Record<string, string> {
    return {
      'Cache-Control': 'no-store, no-cache',
      Pragma: 'no-cache',
      Expires: '-1',
      'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
      'X-Content-Type-Options': 'nosniff',
      'x-ms-request-id': randomUUID(),
      'x-ms-ests-server': '2.1.0.0 - EMULATOR',
    };
  }

  async respond(request: HostRequest): Promise<HostResponse> {
    const [tenant = '', ...rest] = request.url.pathname.split('/').slice(1);
    const path = rest.join('/');
    if (path === 'discovery/instance') return this.#instance(request.url);
    if (tenant !== this.#tenant.tenantId) return entraError(tenantUnknown(tenant), correlationOf(request));
    if (path === 'v2.0/.well-known/openid-configuration') return this.#metadata();
    if (path === 'discovery/v2.0/keys') return this.#keys();
    if (path === 'oauth2/v2.0/token' && request.method === 'POST') return this.#token(request);
    return { status: 404, body: { error: 'not_found', error_description: `${path} is not emulated.` } };
  }

  #instance(url: URL): HostResponse {
    const endpoint = url.searchParams.get('authorization_endpoint') ?? '';
    const aliases = [ENTRA_HOST, 'login.windows.net', 'login.microsoft.com', 'sts.windows.net'];
    if (!URL.canParse(endpoint) || !aliases.includes(new URL(endpoint).host)) {
      return {
        status: 400,
        body: { error: 'invalid_instance', error_description: 'AADSTS50049: Unknown or invalid instance.' },
      };
    }
    const discovery = `https://${ENTRA_HOST}/${this.#tenant.tenantId}/v2.0/.well-known/openid-configuration`;
    const metadata = [{ preferred_network: ENTRA_HOST, preferred_cache: 'login.windows.net', aliases }];
    return { status: 200, body: { tenant_discovery_endpoint: discovery, 'api-version': '1.1', metadata } };
  }

  #metadata(): HostResponse {
    const base = `https://${ENTRA_HOST}/${this.#tenant.tenantId}`;
    return {
      status: 200,
      body: {
        token_endpoint: `${base}/oauth2/v2.0/token`,
        token_endpoint_auth_methods_supported: [
          'client_secret_post',
          'private_key_jwt',
          'client_secret_basic',
        ],
        jwks_uri: `${base}/discovery/v2.0/keys`,
        response_modes_supported: ['query', 'fragment', 'form_post'],
        subject_types_supported: ['pairwise'],
        id_token_signing_alg_values_supported: ['RS256'],
        response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
        scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
        issuer: `${base}/v2.0`,
        authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
        end_session_endpoint: `${base}/oauth2/v2.0/logout`,
      },
    };
  }

  async #keys(): Promise<HostResponse> {
    const { kid, publicKey } = this.#tenant.key;
    const key = await this.#jose.exportJWK(publicKey);
    return { status: 200, body: { keys: [{ ...key, kid, use: 'sig', alg: 'RS256' }] } };
  }

  async #token(request: HostRequest): Promise<HostResponse> {
    const correlationId = correlationOf(request);
    const fault = this.#faults.take('entra');
    const respond = async () => {
      const form = new URLSearchParams(request.body);
      const refusal = await this.#refuse(form);
      return refusal === undefined ? this.#issue(form) : entraError(refusal, correlationId);
    };
    return fault === undefined ? respond() : faultyTokenResponse(fault, respond, correlationId);
  }

  async #refuse(form: URLSearchParams): Promise<EntraRefusal | undefined> {
    const { clientId, clientSecret, cluster, tenantId } = this.#tenant;
    const grant = form.get('grant_type') ?? '';
    const client = form.get('client_id') ?? '';
    const scope = form.get('scope') ?? '';
    if (grant !== 'client_credentials') return grantUnsupported(grant);
    if (client !== clientId) return appUnknown(client, tenantId);
    if (resourceOf(scope) === undefined) return scopeInvalid(scope);
    const assertion = form.get('client_assertion');
    if (assertion !== null && form.get('client_assertion_type') === ASSERTION_TYPE) {
      return refuseAssertion(this.#jose, cluster, assertion);
    }
    const secret = form.get('client_secret');
    if (secret === null) return credentialMissing();
    return secret === clientSecret ? undefined : secretWrong(clientId);
  }

  async #issue(form: URLSearchParams): Promise<HostResponse> {
    const { clientId, lifetimeSeconds } = this.#tenant;
    const resource = resourceOf(form.get('scope') ?? '') as string;
    const token = await this.#tokens.issue(clientId, resource, lifetimeSeconds);
    const body = {
      token_type: 'Bearer',
      expires_in: lifetimeSeconds,
      ext_expires_in: lifetimeSeconds,
      access_token: token,
    };
    return { status: 200, body };
  }
}

/** Any resource gets a token: refusing those for other resources is the vault's part. */
function resourceOf(scope: string): string | undefined {
  const wanted = scope.split(' ').find((one) => one.endsWith('/.default'));
  return wanted?.slice(0, -'/.default'.length);
}

function correlationOf(request: HostRequest): string {
  const fromBody = new URLSearchParams(request.body).get('client-request-id');
  return fromBody ?? header(request, 'client-request-id') ?? randomUUID();
}
