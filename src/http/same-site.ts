import type { AuthorizerRequest } from './types';

type Addressed = Pick<AuthorizerRequest, 'headers' | 'url'>;

/**
 * Tells whether a page of another site made a browser send a request: a browser adds the password that it remembers to such
 * requests too. Programs send neither header. Browsers set both themselves, and pages cannot change them.
 */
export function isFromAnotherSite({ headers, url }: Addressed): boolean {
  // Sent over https and to loopback. `none`: a person made the request, not a page.
  const site = headers.get('sec-fetch-site');
  if (site !== null) return site !== 'same-origin' && site !== 'none';
  const origin = headers.get('origin');
  if (origin === null) return false;
  // A proxy may have replaced the host. A page cannot add these headers without the consent of a preflight request.
  const hosts = [headers.get('x-forwarded-host')?.split(',', 1)[0], hostOf({ headers, url })];
  return !hosts.some((host) => host !== undefined && isOrigin(origin, host.trim()));
}

/** Compares the host and port, because a proxy may have ended TLS. */
function isOrigin(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { protocol, host: wanted } = new URL(origin);
  const own = `${protocol}//${host}`;
  return wanted !== '' && URL.canParse(own) && new URL(own).host === wanted;
}

/** The host and port that a request is for. */
export function hostOf({ headers, url }: Addressed): string {
  return headers.get('host') ?? url.host;
}

/** The name in a host and port, in lower case; empty for anything else. */
export function hostName(host: unknown): string {
  const url = `http://${host}`;
  return URL.canParse(url) ? new URL(url).hostname : '';
}
