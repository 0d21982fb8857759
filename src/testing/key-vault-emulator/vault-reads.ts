import type { Answer } from './answer';
import { type Paging, pageOf } from './pages';
import { secretBundle, secretItem } from './secret-json';
import type { SecretVersion, VaultContent, VaultSecret } from './vault-content';
import { secretDisabled, secretNotFound, vaultError } from './vault-errors';

const NEWEST = '2025-07-01';
const API_VERSION = /^(7\.\d|\d{4}-\d\d-\d\d)(-preview(\.\d+)?)?$/;

/** The reading half of the data plane. Writing is the test's, through the emulator itself. */
export class VaultReads {
  readonly #url: string;
  readonly #content: VaultContent;
  readonly #paging: Paging;

  constructor(url: string, content: VaultContent, paging: Paging) {
    this.#url = url;
    this.#content = content;
    this.#paging = paging;
  }

  answer(method: string, url: URL): Answer {
    const refused = refuseApiVersion(url.searchParams.get('api-version'));
    if (refused !== undefined) return refused;
    const [area, name, part, ...rest] = parts(url);
    if (area !== 'secrets' || rest.length > 0) return unsupported(`${url.pathname} is not emulated`);
    if (method !== 'GET') return unsupported(`${method} is not emulated: write through the emulator's set()`);
    if (name === undefined) return this.#listSecrets(url);
    return part === 'versions' ? this.#listVersions(name, url) : this.#get(name, part);
  }

  #get(name: string, id: string | undefined): Answer {
    const secret = this.#content.find(name);
    const versions = secret?.versions ?? [];
    const version = id === undefined ? versions.at(-1) : versions.find((one) => one.id === id);
    if (secret === undefined || version === undefined) {
      return secretNotFound(id === undefined ? name : `${name}/${id}`);
    }
    if (version.enabled === false) return secretDisabled();
    return { status: 200, body: secretBundle(this.#url, secret, version) };
  }

  #listSecrets(url: URL): Answer {
    const listed = this.#content.secrets.map((secret) => ({
      key: secret.name.toLowerCase(),
      item: secretItem(this.#url, secret, secret.versions.at(-1) as SecretVersion),
    }));
    return pageOf(url, listed, this.#paging);
  }

  /** As recorded: in the order of their ids, not of their age, and an empty list for a name that is not there. */
  #listVersions(name: string, url: URL): Answer {
    const secret = this.#content.find(name) ?? ({ name, versions: [], deleted: true } satisfies VaultSecret);
    const listed = secret.versions.map((version) => ({
      key: version.id,
      item: secretItem(this.#url, secret, version, version.id),
    }));
    listed.sort((a, b) => (a.key < b.key ? -1 : 1));
    return pageOf(url, listed, this.#paging);
  }
}

/** The name of the secret that a request is for. */
export function secretOf(url: URL): string | undefined {
  const [area, name] = parts(url);
  return area === 'secrets' ? name : undefined;
}

function parts(url: URL): string[] {
  return url.pathname.split('/').filter((part) => part !== '');
}

function refuseApiVersion(version: string | null): Answer | undefined {
  if (version === null) return vaultError(400, 'BadParameter', 'api-version must be specified');
  if (API_VERSION.test(version)) return undefined;
  const what = `The specified version (${version}) is not recognized`;
  const next = `Consider using the latest supported version (${NEWEST})`;
  return vaultError(400, 'BadParameter', `${what}. ${next}.`);
}

function unsupported(what: string): Answer {
  return vaultError(405, 'NotSupported', `${what}.`);
}
