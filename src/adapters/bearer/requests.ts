/** Headers as clients take them: an object, pairs, or a flat list of names and values. */
export type HeadersLike =
  | Iterable<readonly [string, unknown]>
  | Readonly<Record<string, unknown>>
  | readonly unknown[]
  | null
  | undefined;

/** Removes and returns what `sent` names, in any case, from headers; adds `sent`. Returns pairs. */
export function withCredential(
  headers: HeadersLike,
  sent: Readonly<Record<string, string>>,
): [string, unknown][] {
  const others = pairsOf(headers).filter(([name]) => sent[name.toLowerCase()] === undefined);
  return [...others, ...Object.entries(sent)];
}

function pairsOf(headers: HeadersLike): [string, unknown][] {
  if (headers === null || headers === undefined) return [];
  if (Array.isArray(headers) && !Array.isArray(headers[0])) {
    return headers.flatMap((name, at) =>
      at % 2 === 0 ? [[String(name), headers[at + 1]] as [string, unknown]] : [],
    );
  }
  if (Symbol.iterator in headers) return [...(headers as Iterable<[string, unknown]>)];
  return Object.entries(headers);
}

/**
 * Tells whether a body can be sent again: it is text, bytes, a form, a blob, or a function that makes a new one each time. What is
 * read once, a stream or an iterator, is gone after the first attempt.
 */
export function canResend(body: unknown): boolean {
  if (body === null || body === undefined) return true;
  if (typeof body === 'string' || typeof body === 'function') return true;
  if (typeof body !== 'object') return false;
  if (ArrayBuffer.isView(body) || /^(Shared)?ArrayBuffer$/.test(tagOf(body))) return true;
  if (/^(FormData|URLSearchParams|Blob|File)$/.test(tagOf(body))) return !isStream(body);
  return false;
}

/** The `form-data` package makes streams that call themselves forms. */
export function isStream(body: unknown): boolean {
  const { pipe, getReader } = body as { readonly pipe?: unknown; readonly getReader?: unknown };
  return typeof pipe === 'function' || typeof getReader === 'function';
}

/** Not `instanceof`: the classes of another copy of undici, or of another realm, are as good. */
function tagOf(body: object): string {
  return Object.prototype.toString.call(body).slice(8, -1);
}

/** The body of one attempt. */
export function bodyOf(body: unknown): unknown {
  return typeof body === 'function' ? body() : body;
}

/** The origin of a URL; undefined for one that is relative or not valid. */
export function originOf(url: unknown): string | undefined {
  try {
    return new URL(String(url)).origin;
  } catch {
    return undefined;
  }
}
