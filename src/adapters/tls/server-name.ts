import { isIP } from 'node:net';
import { SecretsError } from '../../errors';

const LABEL = '[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?';
const NAME = new RegExp(`^(\\*\\.)?(${LABEL}\\.)*${LABEL}$`);
const MAX_LENGTH = 253;

/** Returns the name in lower case. Throws `OPTION_INVALID`. */
export function serverName(name: string): string {
  const normal = String(name).toLowerCase();
  if (isIP(normal) !== 0) {
    throw invalid(name, 'Clients never request an IP address by name; the default certificate serves those.');
  }
  if (normal.length > MAX_LENGTH || !NAME.test(normal)) {
    throw invalid(
      name,
      'Use an ASCII host name (xn--…), or "*." and a host name: the star matches one label.',
    );
  }
  return normal;
}

/** Returns the names that match a host, the closest first. */
export function namesFor(host: string): string[] {
  const normal = host.toLowerCase();
  const dot = normal.indexOf('.');
  return dot === -1 ? [normal] : [normal, `*${normal.slice(dot)}`];
}

function invalid(name: string, next: string): SecretsError {
  return new SecretsError('OPTION_INVALID', `"${name}" cannot be a server name`, { next });
}
