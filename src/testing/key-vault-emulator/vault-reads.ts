import type { HostResponse } from './server';
import { type SecretVersion, seconds, type VaultContent, type VaultSecret } from './vault-content';
import { secretDisabled, secretNotFound, vaultError } from './vault-errors';

/** How lists are split into pages. */
export interface Paging {
  readonly pageSize: number;
  readonly emptyPages: number;
}

const NEWEST = '2025-07-01';
const API_VERSION = /^(7\.\d|\d{4}-\d\d-\d\d)(-preview(\.\d+)?)?$/;

/** The read operations of a vault. Tests write through the emulator itself. */
export class VaultReads {
  readonly #url: string;
  readonly #content: VaultContent;
  readonly #paging: Paging;

  constructor(url: string, content: VaultContent, paging: Paging) {
    this.#url = url;
    this.#content = content;
    this.#paging = paging;
  }

  respond(method: string, url: URL): HostResponse {
    const refused = refuseApiVersion(url.searchParams.get('api-version'));
    if (refused !== undefined) return refused;
    const [area, name, part, ...rest] = parts(url);
    if (area !== 'secrets' || rest.length > 0) return unsupported(`${url.pathname} is not emulated`);
    if (method !== 'GET') return unsupported(`${method} is not emulated: write through the emulator's set()`);
    if (name === undefined) return this.#listSecrets(url);
    return part === 'versions' ? this.#listVersions(name, url) : this.#get(name, part);
  }

  #get(name: string, id: string | undefined): HostResponse {
    const secret = this.#content.find(name);
    const versions = secret?.versions ?? [];
    const version = id === undefined ? versions.at(-1) : versions.find((one) => one.id === id);
    if (secret === undefined || version === undefined) {
      return secretNotFound(id === undefined ? name : `${name}/${id}`);
    }
    if (version.enabled === false) return secretDisabled();
    return { status: 200, body: secretBundle(this.#url, secret, version) };
  }

  #listSecrets(url: URL): HostResponse {
    const listed = this.#content.secrets.map((secret) => ({
      key: secret.name.toLowerCase(),
      item: secretItem(this.#url, secret, secret.versions.at(-1) as SecretVersion),
    }));
    return pageOf(url, listed, this.#paging);
  }

  /** As recorded: ordered by id, not by age, and an empty list for a missing name. */
  #listVersions(name: string, url: URL): HostResponse {
    const secret = this.#content.find(name) ?? ({ name, versions: [], deleted: true } satisfies VaultSecret);
    const listed = secret.versions.map((version) => ({
      key: version.id,
      item: secretItem(this.#url, secret, version, version.id),
    }));
    listed.sort((a, b) => (a.key < b.key ? -1 : 1));
    return pageOf(url, listed, this.#paging);
  }
}

/** The name of the secret that a request is for, if any. */
export function secretOf(url: URL): string | undefined {
  const [area, name] = parts(url);
  return area === 'secrets' ? name : undefined;
}

function parts(url: URL): string[] {
  return url.pathname.split('/').filter((part) => part !== '');
}

function refuseApiVersion(version: string | null): HostResponse | undefined {
  if (version === null) return vaultError(400, 'BadParameter', 'api-version must be specified');
  if (API_VERSION.test(version)) return undefined;
  const what = `The specified version (${version}) is not recognized`;
  const next = `Consider using the latest supported version (${NEWEST})`;
  return vaultError(400, 'BadParameter', `${what}. ${next}.`);
}

function unsupported(what: string): HostResponse {
  return vaultError(405, 'NotSupported', `${what}.`);
}

/** A version with its value, as `get` shows it. JSON omits what is `undefined`. */
function secretBundle(vaultUrl: string, secret: VaultSecret, version: SecretVersion): object {
  const { id, value, managed, contentType, tags } = version;
  return {
    value,
    contentType,
    id: `${vaultUrl}/secrets/${secret.name}/${id}`,
    managed: managed || undefined,
    attributes: attributesOf(version),
    kid: managed ? `${vaultUrl}/keys/${secret.name}/${id}` : undefined,
    tags,
  };
}

/** An item of a list. An item for a secret, not for a version, has no version id. */
function secretItem(vaultUrl: string, secret: VaultSecret, version: SecretVersion, id = ''): object {
  const { managed, contentType, tags } = version;
  return {
    contentType,
    id: `${vaultUrl}/secrets/${secret.name}${id && `/${id}`}`,
    managed: managed || undefined,
    attributes: attributesOf(version),
    tags,
  };
}

function attributesOf({ enabled = true, notBefore, expiresOn, created, updated }: SecretVersion): object {
  return {
    enabled,
    nbf: notBefore && seconds(notBefore.getTime()),
    exp: expiresOn && seconds(expiresOn.getTime()),
    created,
    updated,
    recoveryLevel: 'Recoverable+Purgeable',
    recoverableDays: 90,
  };
}

/** An item of a list with its sort key. */
interface Listed {
  readonly key: string;
  readonly item: object;
}

/** The key after which the next page starts, and the number of empty pages before it. */
interface Mark {
  readonly after: string;
  readonly empty: number;
}

/**
 * The page of a sorted list that `url` asks for. `emptyPages` empty pages follow every page but the last: the service sends
 * such pages, and clients that stop at the first of them miss the rest.
 */
function pageOf(url: URL, listed: readonly Listed[], { pageSize, emptyPages }: Paging): HostResponse {
  const size = url.searchParams.get('maxresults') ?? String(pageSize);
  if (!/^([1-9]|1\d|2[0-5])$/.test(size)) return badParameter('maxresults is not between 1 and 25');
  const token = url.searchParams.get('$skiptoken');
  const mark = token === null ? { after: '', empty: 0 } : markOf(token);
  if (mark === undefined) return badParameter('$skiptoken is not valid');
  if (mark.empty > 0) return page(url, [], { ...mark, empty: mark.empty - 1 });
  const rest = listed.filter(({ key }) => key > mark.after);
  const current = rest.slice(0, Number(size));
  const after = current.at(-1)?.key ?? '';
  return page(url, current, rest.length > current.length ? { after, empty: emptyPages } : undefined);
}

function page(url: URL, listed: readonly Listed[], next: Mark | undefined): HostResponse {
  const nextLink = next === undefined ? null : linkTo(url, next);
  return { status: 200, body: { value: listed.map(({ item }) => item), nextLink } };
}

/** Includes the port, as recorded. */
function linkTo({ hostname, pathname, searchParams }: URL, mark: Mark): string {
  const version = `api-version=${searchParams.get('api-version')}`;
  const token = `$skiptoken=${Buffer.from(JSON.stringify(mark)).toString('base64url')}`;
  const size = searchParams.get('maxresults');
  const max = size === null ? '' : `&maxresults=${size}`;
  return `https://${hostname}:443${pathname.replace(/\/$/, '')}?${version}&${token}${max}`;
}

function markOf(token: string): Mark | undefined {
  try {
    const { after, empty } = JSON.parse(Buffer.from(token, 'base64url').toString()) as Mark;
    return typeof after === 'string' && typeof empty === 'number' ? { after, empty } : undefined;
  } catch {
    return undefined;
  }
}

function badParameter(message: string): HostResponse {
  return vaultError(400, 'BadParameter', message);
}
