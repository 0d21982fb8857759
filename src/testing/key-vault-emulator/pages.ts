import type { Answer } from './answer';
import { vaultError } from './vault-errors';

/** How lists are cut. */
export interface Paging {
  readonly pageSize: number;
  readonly emptyPages: number;
}

/** An item of a list, and what it is sorted by. */
export interface Listed {
  readonly key: string;
  readonly item: object;
}

/** After which item the next page starts, and how many empty pages come before it. */
interface Mark {
  readonly after: string;
  readonly empty: number;
}

/**
 * Answers with the page of a sorted list that `url` asks for. A page that is not the last is followed by `emptyPages`
 * empty ones: the service sends such, and clients that stop at the first of them miss the rest.
 */
export function pageOf(url: URL, listed: readonly Listed[], { pageSize, emptyPages }: Paging): Answer {
  const most = url.searchParams.get('maxresults') ?? String(pageSize);
  if (!/^([1-9]|1\d|2[0-5])$/.test(most)) return badParameter('maxresults is not between 1 and 25');
  const token = url.searchParams.get('$skiptoken');
  const mark = token === null ? { after: '', empty: 0 } : markOf(token);
  if (mark === undefined) return badParameter('$skiptoken is not valid');
  if (mark.empty > 0) return page(url, [], { ...mark, empty: mark.empty - 1 });
  const rest = listed.filter(({ key }) => key > mark.after);
  const now = rest.slice(0, Number(most));
  const after = now.at(-1)?.key ?? '';
  return page(url, now, rest.length > now.length ? { after, empty: emptyPages } : undefined);
}

function page(url: URL, listed: readonly Listed[], next: Mark | undefined): Answer {
  const nextLink = next === undefined ? null : linkTo(url, next);
  return { status: 200, body: { value: listed.map(({ item }) => item), nextLink } };
}

/** As recorded: with the port. */
function linkTo({ hostname, pathname, searchParams }: URL, mark: Mark): string {
  const version = `api-version=${searchParams.get('api-version')}`;
  const token = `$skiptoken=${Buffer.from(JSON.stringify(mark)).toString('base64url')}`;
  const most = searchParams.get('maxresults');
  const size = most === null ? '' : `&maxresults=${most}`;
  return `https://${hostname}:443${pathname.replace(/\/$/, '')}?${version}&${token}${size}`;
}

function markOf(token: string): Mark | undefined {
  try {
    const { after, empty } = JSON.parse(Buffer.from(token, 'base64url').toString()) as Mark;
    return typeof after === 'string' && typeof empty === 'number' ? { after, empty } : undefined;
  } catch {
    return undefined;
  }
}

function badParameter(message: string): Answer {
  return vaultError(400, 'BadParameter', message);
}
