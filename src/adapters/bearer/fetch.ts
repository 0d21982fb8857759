import { type CurrentCredential, MAX_RETRIES } from './current-credential';
import { bodyOf, canResend, originOf, withCredential } from './requests';

type Input = Parameters<typeof globalThis.fetch>[0];
type Init = NonNullable<Parameters<typeof globalThis.fetch>[1]>;
type Body = NonNullable<Init['body']>;

/** As the options of `fetch`; `body` may be a function that makes the body of each attempt. */
export type HotInit = Omit<Init, 'body'> & { readonly body?: Body | null | (() => Body) | undefined };

/** `fetch` with the current credential. */
export type HotFetch = (input: Input, init?: HotInit) => Promise<Response>;

type Fetch = (input: Input, init: Init) => Promise<Response>;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Sent {
  readonly response: Response;
  /** False if a redirect led to another origin, which got no credential. */
  readonly carried: boolean;
}

/** `fetch` removes these itself when it follows a redirect to another origin (https://fetch.spec.whatwg.org/#http-redirect-fetch). */
const REMOVED = ['authorization', 'cookie', 'proxy-authorization', 'host'];
const MAX_REDIRECTS = 20;

/** Makes a `fetch` that sends the current credential, and sends a refused request again with a newer one. */
export function createFetch(
  credential: CurrentCredential,
  statuses: readonly number[],
  fetch: Fetch,
): HotFetch {
  return async (input, given = {}) => {
    const request = isRequest(input) ? input : undefined;
    const { body: ownBody, ...init } = given;
    const body = ownBody === undefined ? request?.body : ownBody;
    const signal = init.signal ?? request?.signal;
    for (let retries = 0; ; retries += 1) {
      const used = credential.current;
      const { response, carried } = await sendOnce(
        fetch,
        input,
        { ...init, body: bodyOf(ownBody) } as Init,
        used,
      );
      if (!carried || !statuses.includes(response.status)) {
        if (carried) credential.accepted(used);
        return response;
      }
      if (retries === MAX_RETRIES || !canResend(body)) {
        credential.refused(used, response.status);
        return response;
      }
      if (!(await credential.replaced(used, response.status, signal))) {
        if (signal?.aborted) await discard(response);
        signal?.throwIfAborted();
        return response;
      }
      await discard(response);
    }
  };
}

async function sendOnce(
  fetch: Fetch,
  input: Input,
  init: Init,
  used: Readonly<Record<string, string>>,
): Promise<Sent> {
  const request = isRequest(input) ? input : undefined;
  const headers = withCredential((init.headers ?? request?.headers) as never, used) as [string, string][];
  const url = request?.url ?? String(input);
  const redirect = init.redirect ?? request?.redirect ?? 'follow';
  const isRemoved = Object.keys(used).every((name) => REMOVED.includes(name));
  if (redirect !== 'follow' || isRemoved) {
    const response = await fetch(input, { ...init, headers });
    return { response, carried: !response.redirected || originOf(response.url) === originOf(url) };
  }
  const method = init.method ?? request?.method ?? 'GET';
  const signal = init.signal ?? request?.signal;
  const next: Mutable<Init> = { ...init, method, ...(signal ? { signal } : {}), headers, redirect: 'manual' };
  const response = await fetch(input, next);
  const bodyIsGone = !canResend(init.body) || (init.body === undefined && request?.body != null);
  return follow(fetch, response, url, next, { bodyIsGone, names: Object.keys(used) });
}

/** Follows redirects as `fetch` does, and removes more headers on the way to another origin. */
async function follow(
  fetch: Fetch,
  first: Response,
  from: string,
  init: Mutable<Init>,
  { bodyIsGone, names }: { readonly bodyIsGone: boolean; readonly names: readonly string[] },
): Promise<Sent> {
  let [response, url, carried] = [first, from, true];
  for (let count = 0; ; count += 1) {
    const location = [301, 302, 303, 307, 308].includes(response.status)
      ? response.headers.get('location')
      : null;
    if (location === null) {
      if (count > 0) Object.defineProperty(response, 'redirected', { value: true });
      return { response, carried };
    }
    const target = new URL(location, url);
    if (!target.hash) target.hash = new URL(url).hash;
    if (count === MAX_REDIRECTS || !/^https?:$/.test(target.protocol)) throw redirectError(count);
    const { status } = response;
    const becomesGet =
      status === 303 ? !/^(GET|HEAD)$/i.test(init.method ?? '') : /^POST$/i.test(init.method ?? '');
    if (becomesGet && status < 304) {
      init.method = 'GET';
      init.body = null;
      init.headers = without(init.headers, (name) =>
        /^content-(encoding|language|location|type|length)$/.test(name),
      );
    } else if (bodyIsGone && init.body !== null) {
      throw new TypeError('fetch failed: a stream cannot be sent again after a redirect');
    }
    if (target.origin !== new URL(url).origin) {
      carried = false;
      init.headers = without(init.headers, (name) => REMOVED.includes(name) || names.includes(name));
    }
    await discard(response);
    url = target.href;
    response = await fetch(url, init);
  }
}

function without(headers: unknown, isUnwanted: (name: string) => boolean): [string, string][] {
  return (headers as [string, string][]).filter(([name]) => !isUnwanted(name.toLowerCase()));
}

function redirectError(count: number): TypeError {
  const why = count === MAX_REDIRECTS ? 'too many redirects' : 'a redirect to a URL that is not http';
  return new TypeError(`fetch failed: ${why}`);
}

/** Frees the connection of a response that nobody reads. */
async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

/** Not `instanceof`, because an undici package has its own class. */
function isRequest(input: Input): input is Request {
  return typeof input === 'object' && 'headers' in input && 'url' in input;
}
