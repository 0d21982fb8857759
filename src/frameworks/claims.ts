import { SecretsError } from '../errors';
import type { Endpoints } from './setup';

/** The endpoints of one application. */
interface Claims {
  /** The owner of each path. */
  readonly owners: Map<string, Endpoints>;
  /** Endpoints that share a path with others: no request is answered, because the wrong store could answer. */
  readonly refused: Map<Endpoints, SecretsError>;
}

// Registered symbols, because the ESM and CJS copies of the package may serve one application.
const CLAIMS = Symbol.for('hot-secrets.endpoints.claims');
const SERVES = Symbol.for('hot-secrets.endpoints.serves');
const shared = globalThis as { [CLAIMS]?: WeakMap<object, Claims> };
shared[CLAIMS] ??= new WeakMap();
const byApplication = shared[CLAIMS];

/** Bounds what requests can add, for a middleware that is mounted below a parameter (`/:tenant`). */
const MAX_PATHS = 1_000;

/**
 * Claims the paths of endpoints in an application. `prefix` is the path that the endpoints are mounted below.
 *
 * @throws `OPTION_INVALID` when other endpoints have one of the paths, even if it differs in case or in a trailing slash.
 */
export function claimPaths(where: string, application: object, endpoints: Endpoints, prefix = ''): void {
  const conflict = claim(claimsOf(application), endpoints, prefix);
  if (conflict !== undefined) throw pathTaken(where, conflict.path);
}

/**
 * As `claimPaths`, for a middleware, which finds out with a request where it is mounted. `others` lists the middlewares at
 * the root of the application, so that the first request of any path finds a conflict between them.
 *
 * @throws `OPTION_INVALID`, from then on for each request to one of the two.
 */
export function claimAtRequest(
  where: string,
  application: object,
  endpoints: Endpoints,
  prefix: string,
  others: () => Iterable<unknown>,
): void {
  assertUncontested(application, endpoints);
  const claims = claimsOf(application);
  const [basePath = ''] = endpoints.keys();
  if (claims.owners.get(plain(prefix + basePath)) === endpoints) return;
  const atRoot = prefix === '' ? [...others()].map(endpointsOf).filter((found) => found !== undefined) : [];
  for (const found of [endpoints, ...atRoot]) {
    const conflict = claim(claims, found, found === endpoints ? prefix : '');
    if (conflict === undefined) continue;
    const error = pathTaken(where, conflict.path);
    claims.refused.set(found, error).set(conflict.owner, error);
  }
  assertUncontested(application, endpoints);
}

/** @throws `OPTION_INVALID` once a request has found other endpoints at one of the paths. */
export function assertUncontested(application: object, endpoints: Endpoints): void {
  const refusal = claimsOf(application).refused.get(endpoints);
  if (refusal !== undefined) throw refusal;
}

/** Marks a middleware with its endpoints, so that others of the same application find them. */
export function servesEndpoints<F extends object>(middleware: F, endpoints: Endpoints): F {
  if (endpoints.size > 0) Object.defineProperty(middleware, SERVES, { value: endpoints });
  return middleware;
}

/** Returns the endpoints of a middleware of this package. */
export function endpointsOf(middleware: unknown): Endpoints | undefined {
  return (middleware as { readonly [SERVES]?: Endpoints } | null | undefined)?.[SERVES];
}

/** @throws `OPTION_INVALID` when both have a path. */
export function assertApart(where: string, endpoints: Endpoints, other: Endpoints): void {
  if (endpoints === other) return;
  const paths = new Set([...other.keys()].map(plain));
  const taken = [...endpoints.keys()].map(plain).find((path) => paths.has(path));
  if (taken !== undefined) throw pathTaken(where, taken);
}

/** The error for a path that something else serves. */
export function pathTaken(where: string, path: string, by = 'other endpoints'): SecretsError {
  return new SecretsError('OPTION_INVALID', `${where}: "${path}" is already the path of ${by}`, {
    next: "Give these endpoints a path of their own: endpoints: { basePath: '/-/billing', … }.",
  });
}

/** Returns the path that a router removed from the front of a URL. */
export function prefixOf(full: string | undefined, local: string): string {
  if (full === undefined || full === local) return '';
  if (full.endsWith(local)) return full.slice(0, -local.length);
  // Routers add the slash that a mount path takes away.
  return local === '/' ? full : '';
}

function claimsOf(application: object): Claims {
  const known = byApplication.get(application);
  if (known !== undefined) return known;
  const claims: Claims = { owners: new Map(), refused: new Map() };
  byApplication.set(application, claims);
  return claims;
}

/** Returns the first path that has another owner; without one, the paths are claimed. */
function claim(
  { owners }: Claims,
  endpoints: Endpoints,
  prefix: string,
): { readonly path: string; readonly owner: Endpoints } | undefined {
  const paths = [...endpoints.keys()].map((path) => plain(prefix + path));
  for (const path of paths) {
    const owner = owners.get(path);
    if (owner !== undefined && owner !== endpoints) return { path, owner };
  }
  if (owners.size < MAX_PATHS) for (const path of paths) owners.set(path, endpoints);
  return undefined;
}

/** Routers differ in what they ignore, and paths that differ in nothing else are a mistake. */
function plain(path: string): string {
  return path.toLowerCase().replace(/\/$/, '');
}
