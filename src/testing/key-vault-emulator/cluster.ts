import { join } from 'node:path';
import { rejectUnknownOptions } from '../../internal/options';
import type { Jose } from '../../internal/peer';
import type { TestMount } from '../test-mount';
import { signingKey } from './keys';
import type { SigningKey } from './signing-key';
import type { ProjectedToken } from './types';

export const TOKEN_AUDIENCE = 'api://AzureADTokenExchange';
export const TOKEN_ISSUER = 'https://westeurope.oic.prod-aks.azure.com/emulator/';
export const TOKEN_SUBJECT = 'system:serviceaccount:default:app';

const TOKEN_FILE = 'azure-identity-token';
const KNOWN = ['subject', 'audience', 'issuer', 'expiresInMs', 'forged', 'content'];
const LIFETIME_MS = 24 * 60 * 60 * 1000;

/** Signs federated tokens and projects them into a mount, which is written as kubelet writes it. */
export class Cluster {
  readonly tokenFilePath: string;
  readonly #jose: Jose;
  readonly #key: SigningKey;
  readonly #mount: TestMount;

  constructor(jose: Jose, key: SigningKey, mount: TestMount) {
    this.#jose = jose;
    this.#key = key;
    this.#mount = mount;
    this.tokenFilePath = join(mount.path, TOKEN_FILE);
  }

  async project(token: ProjectedToken = {}): Promise<void> {
    rejectUnknownOptions('projectToken()', token, KNOWN);
    await this.#mount.rotate({ [TOKEN_FILE]: token.content ?? (await this.#sign(token)) });
  }

  async #sign({
    subject = TOKEN_SUBJECT,
    audience = TOKEN_AUDIENCE,
    issuer = TOKEN_ISSUER,
    expiresInMs = LIFETIME_MS,
    forged = false,
  }: ProjectedToken): Promise<string> {
    const { SignJWT } = this.#jose;
    const expires = Math.floor((Date.now() + expiresInMs) / 1000);
    const { privateKey } = forged ? await signingKey(this.#jose, 'forger', '') : this.#key;
    const issued = Math.min(Math.floor(Date.now() / 1000), expires - 1);
    return new SignJWT({})
      .setProtectedHeader({ alg: 'RS256', kid: this.#key.kid })
      .setAudience([audience])
      .setIssuer(issuer)
      .setSubject(subject)
      .setIssuedAt(issued)
      .setNotBefore(issued)
      .setExpirationTime(expires)
      .sign(privateKey);
  }
}
